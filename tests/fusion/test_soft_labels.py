"""Votes of annotators and sets of words as what a fusion model learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from emollama.fusion.batch import Target
from emollama.fusion.configuration import FusionTask
from emollama.fusion.data.data import _is_known
from emollama.fusion.data.targets import TargetTable, shown_labels
from emollama.fusion.modeling import FusionOutput
from emollama.fusion.systems.early import EarlyConfig
from emollama.fusion.tasks import loss, soft_label_loss
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Manifest, Sample, Targets

LABELS = label_set("three", "happy", "sad", "neutral")
SOFT = FusionTask(soft_labels=True)
SAMPLES = (
    Sample(id="a", targets=Targets(emotion="happy", votes={"happy": 3, "neutral": 1})),
    Sample(id="b", targets=Targets(emotion="sad")),
    Sample(id="c", targets=Targets(votes={"sad": 1, "neutral": 1})),
    Sample(id="d"),
)


def table(task: FusionTask) -> TargetTable:
    manifest = Manifest(Path("m.jsonl"), "c", LABELS, SAMPLES)
    return TargetTable(manifest, SAMPLES, task, LABELS)


def test_votes_are_shares_and_a_label_alone_is_all_of_them() -> None:
    targets = table(SOFT).take(torch.arange(4))
    assert targets["votes"].values.tolist() == [
        [0.75, 0, 0.25], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 0],
    ]  # fmt: skip
    assert targets["votes"].valid.all(dim=1).tolist() == [True, True, True, False]
    assert targets["label"].valid.tolist() == [True, True, False, False]
    assert "votes" not in table(FusionTask()).take(torch.arange(4))
    assert [_is_known(s, SOFT) for s in SAMPLES] == [True, True, True, False]
    assert [_is_known(s, FusionTask()) for s in SAMPLES] == [True, True, False, False]
    # Balanced by votes: 0.75, 1.5 and 0.75 of 3.
    assert table(SOFT).class_weights() == pytest.approx([4 / 3, 2 / 3, 4 / 3])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.5]])
def test_the_loss_is_that_of_torch(smoothing: float, weights: list[float] | None) -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 3, dtype=torch.float64)
    factors = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    codes, known = torch.tensor([2, 0, 1]), torch.tensor([True, True, False])
    target = Target(F.one_hot(codes, 3).double(), known[:, None].expand(3, 3))
    found = soft_label_loss(logits, target, factors, smoothing)
    expected = F.cross_entropy(logits[:2], codes[:2], factors, label_smoothing=smoothing)
    torch.testing.assert_close(found, expected)
    if factors is None:
        shares = torch.tensor([[0.5, 0.5, 0], [0.2, 0.3, 0.5]], dtype=torch.float64)
        both = Target(shares, torch.ones_like(shares, dtype=torch.bool))
        expected = F.cross_entropy(logits[:2], shares, label_smoothing=smoothing)
        torch.testing.assert_close(soft_label_loss(logits[:2], both, None, smoothing), expected)


def test_a_system_learns_from_votes_and_nothing_from_none() -> None:
    section = {"name": "v", "channel": "voice", "source": "x", "width": 2}
    config = EarlyConfig(modalities=[section], labels=LABELS.labels, task=SOFT.model_dump())
    logits = torch.zeros(4, 3, requires_grad=True)
    value = loss(config, FusionOutput(logits=logits), table(SOFT).take(torch.arange(4)))
    value.backward()
    assert logits.grad is not None
    third = torch.full((3,), 1 / 3)
    torch.testing.assert_close(logits.grad[0], (third - torch.tensor([0.75, 0, 0.25])) / 3)
    assert not logits.grad[3].any()
    none = table(SOFT).take(torch.tensor([3]))
    assert float(loss(config, FusionOutput(logits=torch.zeros(1, 3)), none)) == 0


def test_earlier_configurations_stay_as_they_are() -> None:
    assert "soft_labels" not in FusionTask().model_dump()
    assert FusionTask.model_validate(SOFT.model_dump()) == SOFT
    with pytest.raises(ValueError, match="soft_labels are for one label"):
        FusionTask(kind="labels", soft_labels=True)


def test_a_set_of_words_is_several_labels() -> None:
    def shown(**targets: object) -> dict[str, bool] | None:
        return shown_labels(Sample(id="a", targets=Targets(**targets)), LABELS)  # type: ignore[arg-type]

    assert shown(words=("Joyful", "ill at ease")) == {"happy": True, "sad": False, "neutral": False}
    assert shown(words=("ill at ease",)) is None and shown() is None
    # Intensities say more than words.
    assert shown(words=("joyful",), emotions={"sad": 1.0}) == {"sad": True}
    task = FusionTask(kind="labels")
    assert _is_known(Sample(id="a", targets=Targets(words=("joyful",))), task)

"""What went wrong in the systems that these models follow, and must not here.

Most of it is held where it belongs: padding, batch mates, dead parameters and the batch axis taken
for time in `test_systems`, `test_trainable` and `test_valence_arousal`; sound cut to the length of
the text in `test_hri_emo` and `test_frame_times`; empty CCC masks in `test_valence_arousal`; the
best epoch in `tests/fusion/training/test_loop.py`. Here is what is of no single system.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.evaluate import evaluate
from emollama.fusion import artefact
from emollama.fusion.tasks import ccc_loss
from emollama.fusion.training.config import FusionTrainConfig
from emollama.fusion.training.loop import train_fusion
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample, read_manifest, write_manifest
from emollama.scoring.metrics.tasks import TaskCases
from emollama.scoring.predictions.predictions import read_predictions
from emollama.session.family import load_training
from tests.fusion.corpus import LABELS, make
from tests.fusion.systems_made import WIDTHS, asked, batch_of, model_of
from tests.fusion.test_systems import CASES, Case

READ_WHOLE = [
    pytest.param(system, case, id=f"{system}-{i}")
    for system, cases in CASES.items()
    for i, case in enumerate(cases)
    if case.options.get("pooling", "mean") == "mean" and not case.options.get("causal")
]
"""Systems that read all steps: not the first, largest or smallest, and not up to the same time."""


@pytest.mark.parametrize(("system", "case"), READ_WHOLE)
def test_every_valid_step_counts_and_no_other(system: str, case: Case) -> None:
    """No mask drops a word that is there, and no modality is cut to another's length."""
    model = model_of(system, case.options, kind=case.kind)
    batch = batch_of(kind=case.kind)
    values = {name: batch.values[name].clone().requires_grad_() for name in WIDTHS}
    logits = asked(model, replace(batch, values=values), case.windows)[0].logits
    assert logits is not None
    drawn = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    (logits * drawn).sum().backward()
    for name, given in values.items():
        assert given.grad is not None
        moved = given.grad.abs().amax(dim=-1)
        assert bool((moved[batch.valid[name]] > 0).all()), name
        assert not moved[~batch.valid[name]].any(), name


def test_a_concordance_of_nothing_is_no_nan() -> None:
    answer = torch.tensor([0.3, -0.2, 0.7], requires_grad=True)
    truth = torch.tensor([torch.nan, 0.1, torch.nan])
    for known in ([False] * 3, [False, True, False]):
        total = ccc_loss(answer, truth, torch.tensor(known))
        (gradient,) = torch.autograd.grad(total, answer)
        assert total.item() == 0 and not gradient.any()
    constant = torch.full((3,), 0.5, requires_grad=True)
    total = ccc_loss(constant, constant.detach(), torch.ones(3, dtype=torch.bool))
    assert total.isfinite() and torch.autograd.grad(total, constant)[0].isfinite().all()
    nothing = [torch.zeros(0).numpy()]
    assert TaskCases(values={"valence": (nothing, nothing)}).scores()["ccc"] == 0


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    make(folder, 48, noise=0.6)
    return folder


def trained(corpus: Path, output: Path, *options: str) -> Path:
    config = load_training(corpus / "fusion.yaml", [f"output={output}", *options])
    assert isinstance(config, FusionTrainConfig)
    return train_fusion(config)


def rewritten(corpus: Path, path: Path, change: Any, labels: LabelSet = LABELS) -> str:
    """The manifest with `change` made to each sample, None left out; an option that names it."""
    samples = [change(s) for s in read_manifest(corpus / "manifest.jsonl").samples]
    write_manifest(path, "three", labels, [s for s in samples if s is not None])
    return f"data.manifest={path}"


def test_a_label_is_its_name_and_not_its_column(corpus: Path, tmp_path: Path) -> None:
    """The same clips with the label set in another order get the same scores, label by label."""
    turned = LabelSet("turned", tuple(reversed(LABELS.labels)), {})
    other = rewritten(corpus, tmp_path / "turned.jsonl", lambda s: s, turned)
    for kind in ("label", "labels"):
        model = trained(corpus, tmp_path / kind, f"task.kind={kind}")
        path = tmp_path / "eval.yaml"
        data = {"manifest": str(corpus / "manifest.jsonl"), "store": str(corpus / "store")}
        path.write_text(yaml.safe_dump({"model": str(model), "output": "", "data": data,
                                        "bootstrap": 100, "baseline": False}))  # fmt: skip
        rows = []
        for name, options in (("as-it-was", []), ("turned", [other])):
            output = tmp_path / kind / name
            evaluate(load_config(EvalConfig, path, [f"output={output}", *options]))
            rows.append(read_predictions(output / "predictions.jsonl").rows)
        for one, two in zip(*rows, strict=True):
            assert (one.id, one.label, one.scores) == (two.id, two.label, two.scores)
            assert one.label_scores == two.label_scores
            assert set(one.labels or ()) == set(two.labels or ())
            assert set(one.reference_labels or ()) == set(two.reference_labels or ())
        right = [r.label == r.reference for r in rows[1] if r.channels == ("voice", "words")]
        assert kind == "labels" or sum(right) > len(right) / 2
    with pytest.raises(
        EmollamaError, match=r"fusion\.initialise_from: .*has the labels happy, sad, angry"
    ):
        trained(corpus, tmp_path / "start", f"fusion.initialise_from={tmp_path}/label/model", other)


def test_the_test_split_decides_nothing(corpus: Path, tmp_path: Path) -> None:
    """Epoch, thresholds and weights are the same whatever the test split says, or without one."""

    def confused(sample: Sample) -> Sample:
        if sample.split != "test":
            return sample
        wrong = {x: float(x == "sad") for x in LABELS.labels}
        targets = sample.targets.model_copy(update={"emotion": "sad", "emotions": wrong})
        return sample.model_copy(update={"targets": targets})

    manifests = [
        f"data.manifest={corpus}/manifest.jsonl",
        rewritten(corpus, tmp_path / "confused.jsonl", confused),
        rewritten(corpus, tmp_path / "none.jsonl", lambda s: None if s.split == "test" else s),
    ]
    found = []
    for i, manifest in enumerate(manifests):
        model = trained(corpus, tmp_path / str(i), "task.kind=labels", manifest)
        record = json.loads((model / "training_record.json").read_text())
        thresholds = artefact.load(model).about.thresholds
        assert set(thresholds.values()) != {0.5}, "else this test tells nothing"
        found.append((thresholds, record["best"], record["validation"]))
        first, now = (load_file(tmp_path / n / "model/model.safetensors") for n in ("0", str(i)))
        assert all(torch.equal(first[k], now[k]) for k in first)
    assert found[0] == found[1] == found[2]


def test_a_speaker_on_both_sides_is_told_loudly(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def shared(sample: Sample) -> Sample:
        name = "ann" if sample.id in ("clip-000", "clip-003") else sample.id
        return sample.model_copy(update={"speaker": name, "group": name})

    trained(corpus, tmp_path / "clean", "training.epochs=1")
    assert "WARNING" not in capsys.readouterr().err
    leaking = rewritten(corpus, tmp_path / "leaking.jsonl", shared)
    trained(corpus, tmp_path / "run", "training.epochs=1", leaking)
    told = capsys.readouterr().err
    assert "WARNING: 1 of 47 speakers are in more than one split, e.g. 'ann'" in told

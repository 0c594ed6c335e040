"""Batches and models for the tests of the fusion systems."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.modeling import FusionModel, FusionOutput
from emollama.fusion.systems import fusion_system

WIDTHS = {"voice": 6, "words": 5, "face": 4}
LENGTHS = {"voice": (7, 3, 5, 1, 6, 2), "words": (2, 5, 1, 4, 3, 5), "face": (4, 4, 6, 2, 1, 3)}
LABELS = ["happy", "neutral", "sad"]
ROWS = 6


def model_of(
    system: str,
    options: Mapping[str, Any],
    names: Sequence[str] = tuple(WIDTHS),
    kind: str = "label+values",
    seed: int = 0,
    **more: Any,
) -> FusionModel:
    """A small model in evaluation mode."""
    config_class, model_class = fusion_system(system)
    channels = {"voice": "voice", "words": "words", "face": "face"}
    torch.manual_seed(seed)
    values = [] if kind in ("label", "labels") else ["valence"]
    config = config_class(
        modalities=[
            {"name": n, "channel": channels[n], "source": "made", "width": WIDTHS[n]} for n in names
        ],
        labels=[] if kind in ("values", "frames") else LABELS,
        task={"kind": kind, "values": values, **more},
        options=dict(options),
    )
    return model_class(config).eval()


def batch_of(names: Sequence[str] = tuple(WIDTHS), kind: str = "label+values") -> FusionBatch:
    """Six rows of ragged lengths; frames are those of the first modality."""
    made = torch.Generator().manual_seed(3)
    values, valid, times = {}, {}, {}
    for name in names:
        lengths = torch.tensor(LENGTHS[name])
        if kind == "frames":
            lengths = torch.tensor(LENGTHS["voice"])
        longest = int(lengths.max())
        valid[name] = torch.arange(longest) < lengths[:, None]
        drawn = torch.randn(ROWS, longest, WIDTHS[name], generator=made)
        values[name] = torch.where(valid[name][..., None], drawn, 0.0)
        times[name] = torch.where(valid[name], 0.1 * torch.arange(longest) + 0.05, 0.0)
    targets = {
        "label": Target(torch.tensor([0, 1, 2, 0, 1, 2]), torch.ones(ROWS, dtype=torch.bool)),
        "labels": Target(torch.eye(3).repeat(2, 1), torch.ones(ROWS, 3, dtype=torch.bool)),
        "values": Target(
            torch.linspace(-1, 1, ROWS)[:, None], torch.ones(ROWS, 1, dtype=torch.bool)
        ),
    }
    if kind == "frames":
        first = valid[names[0]]
        drawn = torch.rand(*first.shape, 1, generator=made) * 2 - 1
        targets["frames"] = Target(drawn, first[..., None])
    return FusionBatch(
        ids=tuple(f"clip{i}" for i in range(ROWS)),
        values=values,
        valid=valid,
        times=times,
        targets=targets,
        groups=(None,) * ROWS,
        reset=torch.ones(ROWS, dtype=torch.bool),
    )


def rows_of(batch: FusionBatch, rows: Sequence[int]) -> FusionBatch:
    """These rows, in this order."""
    index = list(rows)
    return replace(
        batch,
        ids=tuple(batch.ids[i] for i in index),
        values={k: v[index] for k, v in batch.values.items()},
        valid={k: v[index] for k, v in batch.valid.items()},
        times={k: v[index] for k, v in batch.times.items()},
        targets={k: Target(t.values[index], t.valid[index]) for k, t in batch.targets.items()},
        groups=tuple(batch.groups[i] for i in index),
        reset=None if batch.reset is None else batch.reset[index],
    )


def trimmed(batch: FusionBatch) -> FusionBatch:
    """The same rows without the steps at the end that are valid in none."""
    longest = {k: max(1, int(v.sum(dim=1).max())) for k, v in batch.valid.items()}
    targets = dict(batch.targets)
    if "frames" in targets:
        target, length = targets["frames"], next(iter(longest.values()))
        targets["frames"] = Target(target.values[:, :length], target.valid[:, :length])
    return replace(
        batch,
        values={k: v[:, : longest[k]] for k, v in batch.values.items()},
        valid={k: v[:, : longest[k]] for k, v in batch.valid.items()},
        times={k: v[:, : longest[k]] for k, v in batch.times.items()},
        targets=targets,
    )


def padded(batch: FusionBatch, before: int, after: int) -> FusionBatch:
    """The same rows among steps that are not valid and hold garbage, as do those that were there.

    Not a finite number everywhere: a product with 0 must not be what hides it.
    """

    def widen(values: Tensor, filling: float | bool) -> Tensor:
        shape = list(values.shape)
        front, back = [[*shape[:1], n, *shape[2:]] for n in (before, after)]
        return torch.cat(
            [values.new_full(front, filling), values, values.new_full(back, filling)], dim=1
        )

    valid = {k: widen(v, False) for k, v in batch.valid.items()}
    values = {}
    for name, mask in valid.items():
        filled = widen(batch.values[name], 0)
        if filled.is_floating_point():
            garbage = torch.full_like(filled, 1e30)
            garbage[::2] = float("nan")
        else:
            garbage = torch.full_like(filled, 10**6)
        index = mask.reshape(*mask.shape, *[1] * (filled.dim() - 2))
        values[name] = torch.where(index, filled, garbage)
    times = {k: torch.where(valid[k], widen(v, 0.0), 1e6) for k, v in batch.times.items()}
    return replace(batch, values=values, valid=valid, times=times)


def lacking(batch: FusionBatch, names: Collection[str], rows: Sequence[int]) -> FusionBatch:
    """These rows without a valid step of these modalities; their values stay where they are."""
    valid = {k: v.clone() for k, v in batch.valid.items()}
    for name in names:
        valid[name][list(rows)] = False
    return replace(batch, valid=valid)


def answers(model: FusionModel, batch: FusionBatch, **more: Any) -> list[Tensor]:
    """Each row's logits: [W], or [valid frames, W]."""
    with torch.no_grad():
        return of_rows(model(batch, **more))


def of_rows(output: FusionOutput) -> list[Tensor]:
    """Logits row by row; of frames the valid ones."""
    assert output.logits is not None
    if output.valid is None:
        return list(output.logits)
    return [row[mask] for row, mask in zip(output.logits, output.valid, strict=True)]


def assert_same(got: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    """Equal row by row to 1e-5."""
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)

"""Batches and models for the tests of fusion: three modalities, six rows of ragged lengths."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.modeling import FusionModel, FusionOutput
from emollama.fusion.systems.table import fusion_system

WIDTHS = {"voice": 6, "words": 5, "face": 4}
LENGTHS = {"voice": (7, 3, 5, 1, 6, 2), "words": (2, 5, 1, 4, 3, 5), "face": (4, 4, 6, 2, 1, 3)}
LABELS = ["happy", "neutral", "sad"]
ROWS = 6
STEP = 0.1
"""Seconds."""


def section(name: str, **more: Any) -> dict[str, Any]:
    """A modality's section; its name is its channel."""
    return {"name": name, "channel": name, "source": "made", "width": WIDTHS[name], **more}


def model_of(
    system: str,
    options: Mapping[str, Any],
    modalities: Sequence[str | dict[str, Any]] = tuple(WIDTHS),
    kind: str = "label+values",
    **task: Any,
) -> FusionModel:
    """A small model in evaluation mode; modalities are names, or sections."""
    config_class, model_class = fusion_system(system)
    torch.manual_seed(0)
    if kind not in ("label", "labels"):
        task = {"values": ["valence"], **task}
    config = config_class(
        modalities=[section(m) if isinstance(m, str) else m for m in modalities],
        labels=[] if kind in ("values", "frames") else LABELS,
        task={"kind": kind, **task},
        options=dict(options),
    )
    return model_class(config).eval()


def tracks_of(
    lengths: Mapping[str, Sequence[int]], step: Mapping[str, float] | None = None, seed: int = 3
) -> FusionBatch:
    """Rows of these lengths without targets; `step` seconds apart where a modality has its own.

    With a step of 0 times are unknown.
    """
    made = torch.Generator().manual_seed(seed)
    values, valid, times = {}, {}, {}
    for name, rows in lengths.items():
        longest = max([*rows, 1])
        valid[name] = torch.arange(longest) < torch.tensor(rows)[:, None]
        drawn = torch.randn(len(rows), longest, WIDTHS[name], generator=made)
        values[name] = torch.where(valid[name][..., None], drawn, 0.0)
        centres = (torch.arange(longest) + 0.5) * (step or {}).get(name, STEP)
        times[name] = torch.where(valid[name], centres, 0.0)
    count = len(next(iter(lengths.values())))
    return FusionBatch(
        ids=tuple(f"clip{i}" for i in range(count)),
        values=values,
        valid=valid,
        times=times,
        groups=(None,) * count,
        reset=torch.zeros(count, dtype=torch.bool),
    )


def batch_of(names: Sequence[str] = tuple(WIDTHS), kind: str = "label+values") -> FusionBatch:
    """Six rows with targets; of "frames" all modalities have the same steps."""
    batch = tracks_of({name: LENGTHS["voice" if kind == "frames" else name] for name in names})
    targets = {
        "label": Target(torch.tensor([0, 1, 2, 0, 1, 2]), torch.ones(ROWS, dtype=torch.bool)),
        "labels": Target(torch.eye(3).repeat(2, 1), torch.ones(ROWS, 3, dtype=torch.bool)),
        "values": Target(
            torch.linspace(-1, 1, ROWS)[:, None], torch.ones(ROWS, 1, dtype=torch.bool)
        ),
    }
    if kind == "frames":
        first = batch.valid[names[0]]
        drawn = torch.rand(*first.shape, 1, generator=torch.Generator().manual_seed(4)) * 2 - 1
        targets["frames"] = Target(drawn, first[..., None], batch.times[names[0]])
    return replace(batch, targets=targets)


def rows_of(batch: FusionBatch, rows: Sequence[int]) -> FusionBatch:
    """These rows, in this order."""
    index = list(rows)
    return replace(
        batch,
        ids=tuple(batch.ids[i] for i in index),
        values={k: v[index] for k, v in batch.values.items()},
        valid={k: v[index] for k, v in batch.valid.items()},
        times={k: v[index] for k, v in batch.times.items()},
        targets={
            k: Target(t.values[index], t.valid[index], None if t.times is None else t.times[index])
            for k, t in batch.targets.items()
        },
        groups=tuple(batch.groups[i] for i in index),
        reset=None if batch.reset is None else batch.reset[index],
    )


def trimmed(batch: FusionBatch) -> FusionBatch:
    """The same rows without the steps at the end that are valid in none."""
    longest = {k: max(1, int(v.sum(dim=1).max())) for k, v in batch.valid.items()}
    return replace(
        batch,
        values={k: v[:, : longest[k]] for k, v in batch.values.items()},
        valid={k: v[:, : longest[k]] for k, v in batch.valid.items()},
        times={k: v[:, : longest[k]] for k, v in batch.times.items()},
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


def asked(
    model: FusionModel, batch: FusionBatch, windows: int = 1, **more: Any
) -> tuple[FusionOutput, dict[str, Tensor] | None]:
    """The output in the last of so many windows, all of them this batch, and the state before."""
    state = None
    for _ in range(windows - 1):
        state = model(batch, state=state, **more).state
    output: FusionOutput = model(batch, state=state, **more)
    return output, state


def answers(model: FusionModel, batch: FusionBatch, windows: int = 1, **more: Any) -> list[Tensor]:
    """Each row's logits: [W], or [valid frames, W]."""
    with torch.no_grad():
        return of_rows(asked(model, batch, windows, **more)[0])


def of_rows(output: FusionOutput) -> list[Tensor]:
    """Logits row by row; of frames the valid ones."""
    assert output.logits is not None
    if output.valid is None:
        return list(output.logits)
    return [row[mask] for row, mask in zip(output.logits, output.valid, strict=True)]


def close(one: Tensor, other: Tensor) -> None:
    """Equal to 1e-5."""
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def assert_same(got: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    """Equal row by row."""
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        close(one, other)


def without_gradient(model: FusionModel) -> list[str]:
    """Names of parameters whose gradient is none or nothing."""
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().max() > 1e-8
    ]


def count(module: torch.nn.Module) -> int:
    """Parameters."""
    return sum(parameter.numel() for parameter in module.parameters())

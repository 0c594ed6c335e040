"""Small batches of random tracks, the same batches with more padding, and what both must give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from emollama.fusion.batch import FusionBatch
from emollama.fusion.modeling import FusionModel, FusionOutput
from emollama.fusion.systems import fusion_system

CHANNELS = {"text": "words", "audio": "voice", "face": "face"}


def section(name: str, width: int = 5, **more: Any) -> dict[str, Any]:
    return {"name": name, "channel": CHANNELS[name], "source": "s", "width": width, **more}


def model_of(
    system: str, sections: Sequence[dict[str, Any]], options: dict[str, Any], **more: Any
) -> FusionModel:
    torch.manual_seed(0)
    config_class, model_class = fusion_system(system)
    config = config_class(modalities=sections, options=options, **more)
    return model_class(config).eval()


def batch_of(
    lengths: Mapping[str, Sequence[int]],
    width: int = 5,
    step: Mapping[str, float] | None = None,
    seed: int = 1,
) -> FusionBatch:
    """Rows of these lengths; a modality's steps are `step` seconds apart (0: times unknown)."""
    made = torch.Generator().manual_seed(seed)
    values, valid, times = {}, {}, {}
    for name, rows in lengths.items():
        longest = max([*rows, 1])
        valid[name] = torch.arange(longest) < torch.tensor(rows)[:, None]
        values[name] = torch.randn(len(rows), longest, width, generator=made)
        values[name][~valid[name]] = 0
        apart = (step or {}).get(name, 0.0)
        times[name] = torch.where(valid[name], (torch.arange(longest) + 0.5) * apart, 0.0)
    count = len(next(iter(lengths.values())))
    return FusionBatch(tuple(f"r{i}" for i in range(count)), values, valid, times)


def padded(batch: FusionBatch, more: int = 3) -> FusionBatch:
    """More steps that are not valid, and rubbish under all that are not."""
    values, valid, times = {}, {}, {}
    for name, track in batch.values.items():
        longer = [*track.shape]
        longer[1] += more
        mask = torch.zeros(longer[:2], dtype=torch.bool)
        mask[:, : track.shape[1]] = batch.valid[name]
        rubbish = torch.full(longer, torch.nan)
        rubbish[:, ::2] = 1e6
        rubbish[mask] = track[batch.valid[name]]
        clock = torch.full(longer[:2], 7.7)
        clock[mask] = batch.times[name][batch.valid[name]]
        values[name], valid[name], times[name] = rubbish, mask, clock
    return replace(batch, values=values, valid=valid, times=times)


def row(batch: FusionBatch, i: int) -> FusionBatch:
    """One row alone, without padding."""
    size = {n: max(int(m[i].sum()), 1) for n, m in batch.valid.items()}
    return replace(
        batch,
        ids=(batch.ids[i],),
        values={n: v[i : i + 1, : size[n]] for n, v in batch.values.items()},
        valid={n: v[i : i + 1, : size[n]] for n, v in batch.valid.items()},
        times={n: v[i : i + 1, : size[n]] for n, v in batch.times.items()},
    )


def answers(output: FusionOutput) -> Tensor:
    assert output.logits is not None
    return output.logits


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


def check_padding_and_mates(model: FusionModel, batch: FusionBatch) -> None:
    """Rubbish, more padding and other rows change no answer."""
    with torch.no_grad():
        whole, spoiled = model(batch), model(padded(batch))
        for i in range(len(batch)):
            alone = model(row(batch, i))
            if whole.valid is None:
                close(answers(spoiled)[i], answers(whole)[i])
                close(answers(alone)[0], answers(whole)[i])
            else:
                mine = answers(whole)[i][whole.valid[i]]
                close(answers(spoiled)[i][spoiled.valid[i]], mine)
                close(answers(alone)[0][alone.valid[0]], mine)
    assert torch.isfinite(answers(whole)).all() and torch.isfinite(answers(spoiled)).all()


def parameters_without_gradient(model: FusionModel) -> list[str]:
    return [
        name
        for name, p in model.named_parameters()
        if p.grad is None or not torch.isfinite(p.grad).all() or not p.grad.abs().max() > 0
    ]


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())

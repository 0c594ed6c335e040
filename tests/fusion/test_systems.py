"""Every system of the table, with its options and each number of modalities, keeps its promises.

To add a system, give it its rows in `CASES`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from emollama.errors import EmollamaError
from emollama.fusion.batch import FusionBatch
from emollama.fusion.modeling import FusionModel
from emollama.fusion.systems import SYSTEMS, fusion_system
from emollama.fusion.tasks import loss
from tests.fusion.systems_made import (
    ROWS,
    WIDTHS,
    answers,
    assert_same,
    batch_of,
    lacking,
    model_of,
    of_rows,
    padded,
    rows_of,
    trimmed,
)


@dataclass(frozen=True)
class Case:
    """One way to build a system.

    Attributes:
        options: the system's own.
        kind: of the task.
        maps: kinds of the attention maps it gives, by how their names begin.
        unnormalised: maps whose rows do not sum to 1.
        learning_rate: of the thirty steps in which the loss must halve.
        padding: steps put (before, behind) every row; a system that counts time from a window's
            first step allows none before.
    """

    options: dict[str, Any] = field(default_factory=dict)
    kind: str = "label+values"
    maps: tuple[str, ...] = ()
    unnormalised: tuple[str, ...] = ()
    learning_rate: float = 3e-3
    padding: tuple[int, int] = (2, 3)


_MEMOCMT = {"width": 8, "heads": 2, "head": 16}
_MULT = {"hidden": 16, "heads": 2, "layers": 2}
_SMALL = {"hidden": 16}

CASES: dict[str, list[Case]] = {
    "early": [Case(learning_rate=0.1)],
    "attention_pooling": [Case(maps=("pool:",), learning_rate=0.1)],
    "fine_grained": [
        Case({"width": 16, "heads": 2}, maps=("pool:", ">"), learning_rate=1e-2),
        Case({"width": 16, "heads": 2}, kind="labels", maps=("pool:", ">"), learning_rate=3e-2),
    ],
    "memocmt": [
        Case({**_MEMOCMT, "pooling": pooling}, maps=(">",), learning_rate=1e-2)
        for pooling in ("cls", "mean", "max", "min")
    ],
    "merbench_attention": [
        Case(_SMALL, maps=("modalities",), learning_rate=1e-2),
        Case(
            {**_SMALL, "weights": "raw", "encoder": "frames"},
            maps=("modalities",),
            unnormalised=("modalities",),
            learning_rate=2e-2,
        ),
    ],
    "lmf": [
        Case({**_SMALL, "rank": 3}, learning_rate=1e-2),
        Case({**_SMALL, "encoder": "frames"}, learning_rate=1e-2),
    ],
    "tfn": [Case(_SMALL, learning_rate=2e-2)],
    "mult": [
        Case(_MULT, maps=(">",)),
        Case({**_MULT, "causal": True, "positions": False, "kernel": 1}, maps=(">",)),
    ],
    "misa": [
        Case({"hidden": 64}, learning_rate=1e-3),
        Case({"hidden": 64, "reconstruction": 0, "encoder": "frames"}, learning_rate=1e-3),
    ],
}

SUBSETS = [("voice",), ("words", "face"), tuple(WIDTHS)]


every = pytest.mark.parametrize(
    ("system", "case", "names"),
    [
        pytest.param(system, case, names, id=f"{system}-{i}-{len(names)}")
        for system, cases in CASES.items()
        for i, case in enumerate(cases)
        for names in SUBSETS
    ],
)


def made(system: str, case: Case, names: tuple[str, ...]) -> tuple[FusionModel, FusionBatch]:
    return model_of(system, case.options, names, case.kind), batch_of(names, case.kind)


def distinct(rows: list[torch.Tensor]) -> int:
    return len({tuple(row.flatten().tolist()) for row in rows})


def test_every_system_has_its_cases() -> None:
    assert set(CASES) == set(SYSTEMS)
    assert all(fusion_system(name)[0].system == name for name in SYSTEMS)


def test_the_page_tells_every_system_and_option() -> None:
    page = (Path(__file__).parents[2] / "docs" / "fusion_systems.md").read_text(encoding="utf-8")
    for name in SYSTEMS:
        row = next((x for x in page.splitlines() if x.startswith(f"| `{name}` | ")), "")
        options = fusion_system(name)[0].options_class.model_fields
        assert [option for option in options if f"`{option}`" not in row] == [], name


@every
def test_padding_and_batch_mates_change_nothing(
    system: str, case: Case, names: tuple[str, ...]
) -> None:
    model, batch = made(system, case, names)
    wanted = answers(model, batch)
    assert_same(answers(model, padded(batch, *case.padding)), wanted)
    assert_same(answers(model, padded(batch, 0, 1)), wanted)
    alone = [answers(model, trimmed(rows_of(batch, [i])))[0] for i in range(ROWS)]
    assert_same(alone, wanted)
    order = [4, 2, 5, 0, 3, 1]
    assert_same(answers(model, rows_of(batch, order)), [wanted[i] for i in order])
    assert distinct(wanted) == ROWS


@every
def test_every_parameter_gets_a_gradient(system: str, case: Case, names: tuple[str, ...]) -> None:
    model, batch = made(system, case, names)
    loss(model.config, model(batch), batch.targets).backward()
    dead = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().max() > 1e-8
    ]
    assert not dead
    of_one = {id(p) for name in names for p in model.parameters_of(name)}
    assert of_one <= {id(p) for p in model.parameters()}


@every
def test_what_is_absent_was_never_given(system: str, case: Case, names: tuple[str, ...]) -> None:
    model, batch = made(system, case, names)
    whole = answers(model, batch)
    for name in names[: len(names) if len(names) > 1 else 0]:
        rest = [n for n in names if n != name]
        never = answers(model, batch, only=rest)
        assert distinct(never) == ROWS  # what is there still counts
        assert_same(answers(model, batch.without({name})), never)
        mixed = answers(model, padded(lacking(batch, {name}, [0, 3]), *case.padding))
        assert_same([mixed[0], mixed[3]], [never[0], never[3]])
        assert_same([mixed[i] for i in (1, 2, 4, 5)], [whole[i] for i in (1, 2, 4, 5)])
    for poor in (
        lacking(batch, names, [1]),
        lacking(batch, names, range(ROWS)),
        trimmed(rows_of(batch, [3])),
    ):
        model.zero_grad()
        output = model(poor)
        assert all(row.isfinite().all() for row in of_rows(output))
        loss(model.config, output, poor.targets).backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert all(gradient.isfinite().all() for gradient in gradients)


@every
def test_saved_and_loaded(system: str, case: Case, names: tuple[str, ...], tmp_path: Path) -> None:
    model, batch = made(system, case, names)
    for standardiser in model.standardisers.values():
        width = len(standardiser.mean)
        standardiser.set(torch.arange(width) / 7, torch.arange(width) / 5 + 0.5)
    model.save_pretrained(tmp_path)
    loaded = SYSTEMS[system].from_pretrained(tmp_path).eval()
    assert loaded.config.options == model.config.options
    assert loaded.config.labels == model.config.labels
    assert_same(answers(loaded, batch), answers(model, batch))


@every
def test_thirty_steps_halve_the_loss(system: str, case: Case, names: tuple[str, ...]) -> None:
    model, batch = made(system, case, names)
    before = loss(model.config, model(batch), batch.targets).item()
    optimiser = torch.optim.Adam(model.parameters(), lr=case.learning_rate)
    for _ in range(30):
        optimiser.zero_grad()
        loss(model.config, model(batch), batch.targets).backward()
        optimiser.step()
    assert loss(model.config, model(batch), batch.targets).item() < before / 2


@every
def test_maps_on_request_only(system: str, case: Case, names: tuple[str, ...]) -> None:
    model, batch = made(system, case, names)
    assert model(batch).maps is None
    output = model(batch, explain=True)
    assert_same(of_rows(output), of_rows(model(batch)))
    maps = output.maps or {}
    assert all(any(kind in name for name in maps) for kind in case.maps)
    for name, weights in maps.items():
        if not any(name.startswith(kind) or kind in name for kind in case.maps):
            continue
        assert not weights.isnan().any()
        if name in case.unnormalised:
            continue
        query, _, key = name.partition(">")
        if key:
            weights = weights[batch.valid[query]]
            keys = batch.valid[key][torch.where(batch.valid[query])[0]]
            assert weights.shape == keys.shape
            assert not weights[~keys].any()
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


@pytest.mark.parametrize(
    ("system", "options", "said"),
    [
        ("memocmt", {"width": 10, "heads": 4}, "multiple of heads"),
        ("mult", {"kernel": 2}, "kernel must be odd"),
        ("lmf", {"rnk": 3}, "did you mean 'rank'"),
        ("misa", {"hidden": 7}, "multiple of 2"),
        ("merbench_attention", {"weights": "sum"}, "'softmax' or 'raw'"),
    ],
)
def test_a_wrong_option_is_one_line(system: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(EmollamaError, match=said) as caught:
        model_of(system, options)
    assert "\n" not in str(caught.value)

"""Every system of the table, with its options and each number of modalities, keeps its promises.

To add a system, give it its rows in `CASES`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch
from emollama.fusion.modeling import FusionModel
from emollama.fusion.systems.table import SYSTEMS, fusion_system
from emollama.fusion.tasks import loss
from tests.fusion.systems_made import (
    ROWS,
    WIDTHS,
    answers,
    asked,
    assert_same,
    batch_of,
    lacking,
    model_of,
    of_rows,
    padded,
    rows_of,
    trimmed,
    without_gradient,
)


@dataclass(frozen=True)
class Case:
    """One way to build a system.

    Attributes:
        options: the system's own.
        kind: of the task.
        maps: kinds of the attention maps it gives, by how their names begin.
        unnormalised: maps whose rows do not sum to 1.
        shared: a query's weights over all other modalities sum to 1 together.
        learning_rate: of the thirty steps in which the loss must halve.
        windows: how often the batch is given, the state carried; the last answer counts.
    """

    options: dict[str, Any] = field(default_factory=dict)
    kind: str = "label+values"
    maps: tuple[str, ...] = ()
    unnormalised: tuple[str, ...] = ()
    shared: bool = False
    learning_rate: float = 3e-3
    windows: int = 1


_MEMOCMT = {"width": 8, "heads": 2, "head": 16}
_MULT = {"hidden": 16, "heads": 2, "layers": 2}
_SMALL = {"hidden": 16}
_HRI_EMO = {"width": 16, "heads": 2, "decoder_hidden": 32, "gate_hidden": 8}
_FRAMES = {"width": 8, "regressor": [8]}
_ENCODER = {**_FRAMES, "heads": 2, "layers": 2, "hidden": 16}
_MEMORY = {"mem_avg_len": 2, "mem_entries": 3}

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
    "hri_emo": [
        Case(_HRI_EMO, kind="labels", maps=(">", "decoder"), shared=True, learning_rate=1e-2),
        Case(
            {**_HRI_EMO, "gate": "scalar", "encoder_layers": 2, "entropy_weight": 1e-3},
            maps=(">", "decoder"),
            shared=True,
            learning_rate=1e-2,
        ),
    ],
    "va_transformer": [Case(_ENCODER, kind="frames", maps=("frames>",), learning_rate=2e-2)],
    "va_transformer_lstm": [
        Case(_ENCODER, kind="frames", maps=("frames>",), windows=2, learning_rate=2e-2),
    ],
    "va_transformer_attention": [
        Case(
            {**_ENCODER, **_MEMORY, "resampling": "nearest", "positions": False},
            kind="frames",
            maps=("frames>frames", "frames>memory"),
            windows=2,
            learning_rate=2e-2,
        )
    ],
    "va_fclstm": [Case(_FRAMES, kind="frames", windows=2, learning_rate=2e-2)],
    "amst": [
        Case({"head": "msum", "width": 8}, learning_rate=3e-2),
        Case({"head": "concat", "track_encoder": "identity", "pooling": "max"}, learning_rate=0.1),
        Case({"head": "lsum", "width": 8, "track_encoder": "mlp"}, learning_rate=3e-2),
    ],
}

SUBSETS = [("voice",), ("words", "face"), tuple(WIDTHS)]


def every_case(slow: int = 0) -> pytest.MarkDecorator:
    """Each case of each system over each subset; those of `slow` modalities are slow."""
    return pytest.mark.parametrize(
        ("system", "case", "names"),
        [
            pytest.param(
                system, case, names, id=f"{system}-{i}-{len(names)}",
                marks=[pytest.mark.slow] if len(names) == slow else [],
            )
            for system, cases in CASES.items()
            for i, case in enumerate(cases)
            for names in SUBSETS
        ],
    )  # fmt: skip


every = every_case()


def made(system: str, case: Case, names: tuple[str, ...]) -> tuple[FusionModel, FusionBatch]:
    return model_of(system, case.options, names, case.kind), batch_of(names, case.kind)


def loss_of(case: Case, model: FusionModel, batch: FusionBatch) -> torch.Tensor:
    return loss(model.config, asked(model, batch, case.windows)[0], batch.targets)


def distinct(rows: list[torch.Tensor]) -> int:
    return len({tuple(row.flatten().tolist()) for row in rows})


def test_every_system_has_its_cases() -> None:
    assert set(CASES) == set(SYSTEMS)
    assert all(fusion_system(name)[0].system == name for name in SYSTEMS)


def shown(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return f"[{', '.join(str(width) for width in default)}]"
    return "empty" if default == "" else str(default)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_page_tells_every_system_and_option(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "fusion_systems.md").read_text(encoding="utf-8")
    row = next((x for x in page.splitlines() if x.startswith(f"| `{name}` | ")), "")
    assert row, f"docs/fusion_systems.md lacks a row '| `{name}` | ...', one a system"
    options = fusion_system(name)[0].options_class.model_fields
    told = {key: f"`{key}` {shown(field.default)}" for key, field in options.items()}
    where = f"docs/fusion_systems.md, row `{name}`, lacks"
    lacking = [words for words in told.values() if words not in row]
    assert lacking == [], f"{where} the options {lacking}"
    maps = [kind for case in CASES[name] for kind in case.maps if kind.strip(":") not in row]
    assert maps == [], f"{where} the maps {maps}"


@every
def test_padding_and_batch_mates_change_nothing(
    system: str, case: Case, names: tuple[str, ...]
) -> None:
    model, batch = made(system, case, names)

    def ask(given: FusionBatch) -> list[torch.Tensor]:
        return answers(model, given, case.windows)

    wanted = ask(batch)
    assert_same(ask(padded(batch, 2, 3)), wanted)
    assert_same(ask(padded(batch, 0, 1)), wanted)
    assert_same([ask(trimmed(rows_of(batch, [i])))[0] for i in range(ROWS)], wanted)
    order = [4, 2, 5, 0, 3, 1]
    assert_same(ask(rows_of(batch, order)), [wanted[i] for i in order])
    assert distinct(wanted) == ROWS


@every
def test_every_parameter_gets_a_gradient(system: str, case: Case, names: tuple[str, ...]) -> None:
    model, batch = made(system, case, names)
    loss_of(case, model, batch).backward()
    assert not without_gradient(model)
    of_one = {id(p) for name in names for p in model.parameters_of(name)}
    assert of_one <= {id(p) for p in model.parameters()}


@every
def test_what_is_absent_was_never_given(system: str, case: Case, names: tuple[str, ...]) -> None:
    model, batch = made(system, case, names)
    whole = answers(model, batch, case.windows)
    for name in names[: len(names) if len(names) > 1 else 0]:
        rest = [n for n in names if n != name]
        never = answers(model, batch, case.windows, only=rest)
        assert distinct(never) == ROWS  # what is there still counts
        assert_same(answers(model, batch.without({name}), case.windows), never)
        mixed = answers(model, padded(lacking(batch, {name}, [0, 3]), 2, 3), case.windows)
        assert_same([mixed[0], mixed[3]], [never[0], never[3]])
        assert_same([mixed[i] for i in (1, 2, 4, 5)], [whole[i] for i in (1, 2, 4, 5)])
    for poor in (
        lacking(batch, names, [1]),
        lacking(batch, names, range(ROWS)),
        trimmed(rows_of(batch, [3])),
    ):
        model.zero_grad()
        assert all(row.isfinite().all() for row in answers(model, poor, case.windows))
        loss_of(case, model, poor).backward()
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
    assert_same(answers(loaded, batch, case.windows), answers(model, batch, case.windows))


@every_case(slow=2)
def test_thirty_steps_halve_the_loss(system: str, case: Case, names: tuple[str, ...]) -> None:
    model, batch = made(system, case, names)
    before = loss_of(case, model, batch).item()
    optimiser = torch.optim.Adam(model.parameters(), lr=case.learning_rate)
    for _ in range(30):
        optimiser.zero_grad()
        loss_of(case, model, batch).backward()
        optimiser.step()
    assert loss_of(case, model, batch).item() < before / 2


@every
def test_maps_on_request_only(system: str, case: Case, names: tuple[str, ...]) -> None:
    model, batch = made(system, case, names)
    assert model(batch).maps is None
    output, state = asked(model, batch, case.windows, explain=True)
    assert_same(of_rows(output), answers(model, batch, case.windows))
    maps = output.maps or {}
    assert all(any(kind in name for name in maps) for kind in case.maps)
    valid = dict(batch.valid)
    if output.valid is not None:
        valid |= {"frames": output.valid, "memory": (state or {}).get("memory_valid")}
    sums: dict[str, torch.Tensor | float] = {}
    for name, weights in maps.items():
        assert not weights.isnan().any()
        attention = re.fullmatch(r"(\d+:)?(\w+)>(\w+)", name)
        if attention:
            layer, query, key = attention.groups()
            weights = weights[valid[query]]
            keys = valid[key][torch.where(valid[query])[0]]
            assert weights.shape == keys.shape
            assert not weights[~keys].any()
            together = f"{layer}{query}" if case.shared and query != key else name
            sums[together] = sums.get(together, 0.0) + weights.sum(-1)
        elif name.startswith(("pool:", "decoder")) or name == "modalities":
            if name not in case.unnormalised:
                sums[name] = weights.sum(-1)
        else:
            assert name.startswith("alignment:") or name in ("beta", "times", "valid", "unimodal")
            continue
        assert name in case.unnormalised or weights.min() >= 0
    for total in sums.values():
        torch.testing.assert_close(total, torch.ones_like(total))


@pytest.mark.parametrize(
    ("system", "options", "said"),
    [
        ("memocmt", {"width": 10, "heads": 4}, "width 10 must be a multiple of heads"),
        ("hri_emo", {"heads": 3}, "width 256 must be a multiple of heads"),
        ("va_transformer", {"width": 15, "heads": 3}, "multiple of 2"),
        ("va_fclstm", {"regressor": [0]}, "widths must be at least 1"),
        ("mult", {"kernel": 2}, "must be odd"),
        ("lmf", {"rnk": 3}, "did you mean 'rank'"),
        ("misa", {"hidden": 7}, "multiple of 2"),
        ("merbench_attention", {"weights": "sum"}, "'softmax' or 'raw'"),
    ],
)
def test_a_wrong_option_is_one_line(system: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(EmollamaError, match=said) as caught:
        model_of(system, options)
    assert "\n" not in str(caught.value)


def test_the_spaces_of_an_absent_modality_are_not_seen() -> None:
    """Its zeros would still be keys of MISA's attention, made of biases alone."""
    model, batch = model_of("misa", {"hidden": 16}), batch_of()
    before = answers(model, batch, only=["voice", "face"])
    for parameter in model.projections["words"].parameters():
        torch.nn.init.normal_(parameter)
    assert_same(answers(model, batch, only=["voice", "face"]), before)
    assert distinct([*before, *answers(model, batch)]) == 2 * ROWS

"""Keys of configurations that were renamed: the old name works for a release, and is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from emollama.base.config import Strict, load_config
from emollama.base.errors import EmollamaError
from emollama.fusion.training.config import FusionTrainConfig, FusionTraining
from emollama.llm.training.config import TrainConfig, TrainingSection

LLM: dict[str, Any] = {
    "output": "run",
    "data": {"manifest": "m.jsonl"},
    "model": {
        "streams": [
            {"name": "a", "channel": "voice", "source": "prosody"},
            {"name": "b", "channel": "face", "source": "expression", "start": "probe"},
        ]
    },
    "training": {"max_steps": 4, "log_every": 3, "save_every": 5, "evaluate_every": 7},
}
FUSION: dict[str, Any] = {
    "output": "run",
    "data": {"manifest": "m.jsonl"},
    "fusion": {
        "system": "early",
        "modalities": [{"name": "voice", "channel": "voice", "source": "prosody"}],
        "start": "earlier/model",
    },
    "training": {"epochs": 4, "log_every": 3, "save_every": 5, "save_steps": 9,
                 "evaluate_every": 7, "warmup": 0.2, "decay_every": 11},
}  # fmt: skip


def loaded(folder: Path, schema: type[Strict], values: dict[str, Any], *overrides: str) -> Any:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return load_config(schema, path, overrides)


def test_old_names_mean_what_they_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    llm = loaded(tmp_path, TrainConfig, LLM)
    told = capsys.readouterr().err.splitlines()
    training = llm.training
    assert (training.log_every_steps, training.save_every_steps) == (3, 5)
    assert training.evaluate_every_steps == 7
    assert [s.initial_weights for s in llm.model.streams] == ["random", "probe"]
    assert len(told) == 4 and all(line.startswith(f"note: {tmp_path}") for line in told)
    assert any("training.log_every is now training.log_every_steps" in line for line in told)

    fusion = loaded(tmp_path, FusionTrainConfig, FUSION)
    training = fusion.training
    assert (training.log_every_epochs, training.save_every_epochs) == (3, 5)
    assert (training.save_every_steps, training.evaluate_every_epochs) == (9, 7)
    assert (training.warmup_share, training.decay_every_epochs) == (0.2, 11)
    assert fusion.fusion.initialise_from == Path("earlier/model")
    assert len(capsys.readouterr().err.splitlines()) == 7


def test_an_old_name_in_an_override_takes_the_place_of_the_new_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = LLM | {"training": {"max_steps": 4, "save_every_steps": 60}}
    found = loaded(tmp_path, TrainConfig, values, "training.save_every=2",
                   "model.streams.0.start=probe")  # fmt: skip
    assert found.training.save_every_steps == 2
    assert [s.initial_weights for s in found.model.streams] == ["probe", "probe"]
    assert "training.save_every is now training.save_every_steps" in capsys.readouterr().err
    found = loaded(tmp_path, TrainConfig, LLM, "training.save_every_steps=2")
    assert found.training.save_every_steps == 2


def test_both_names_in_one_file_are_refused(tmp_path: Path) -> None:
    values = LLM | {"training": {"max_steps": 4, "save_every": 1, "save_every_steps": 60}}
    with pytest.raises(EmollamaError, match=r"training\.save_every .* training\.save_every_steps"):
        loaded(tmp_path, TrainConfig, values)


def test_presets_use_the_new_names(capsys: pytest.CaptureFixture[str]) -> None:
    from emollama.session.family import load_training

    presets = sorted((Path(__file__).parents[2] / "train_configs").glob("*.yaml"))
    assert len(presets) > 20
    for path in presets:
        load_training(path, [])
    assert "is now" not in capsys.readouterr().err


def test_a_key_says_what_it_counts() -> None:
    """One meaning a key in both families: intervals end in what they count."""
    keys = {*TrainingSection.model_fields, *FusionTraining.model_fields}
    assert not {k for k in keys if k.endswith(("_every", "warmup")) or k == "start"}
    both = {*TrainingSection.model_fields} & {*FusionTraining.model_fields}
    assert {k for k in both if "every" in k or "warmup" in k} == {"save_every_steps"}


def test_a_bench_that_is_done_is_not_done_again() -> None:
    """What a finished run is known by is made of the old names, as it was."""
    from emollama.bench.plan import digest

    new = FUSION["training"] | {"warmup_share": 0.2, "decay_every_epochs": 11,
                                "evaluate_every_epochs": 7}  # fmt: skip
    for old in ("log_every", "save_every", "save_steps", "evaluate_every", "warmup", "decay_every"):
        del new[old]
    config = FusionTrainConfig.model_validate(FUSION | {
        "training": new, "fusion": {k: v for k, v in FUSION["fusion"].items() if k != "start"}
    })  # fmt: skip
    assert digest(config, "splits") == (
        "b2dfe657443a233ca2dbb1967d0d1e9e5aa3f68c4c02acabf3f4930be889d705"
    )

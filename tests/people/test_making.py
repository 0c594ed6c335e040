"""`make people`: the commands are ones that there are, and what they made is collected."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.people import collecting, making
from benchmarks.people.making import EMOLLAMA, TRAINING, stages
from benchmarks.people.results import CORPORA, read_answers
from emollama.assets.people import check_sums
from emollama.base.config import load_config
from emollama.base.presets import find_preset
from emollama.evaluation.config import EvalConfig
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Manifest, Sample
from emollama.scoring.predictions.predictions import read_predictions, write_predictions
from emollama.session.family import load_training
from tests.people import made
from tests.test_docs import loaded, overrides, program


def commands() -> list[list[str]]:
    """The words after `emollama`."""
    size = len(EMOLLAMA)
    return [list(c[size:]) for c in stages(Path("/corpora")) if c[:size] == EMOLLAMA]


def test_its_commands_exist() -> None:
    for words in commands():
        command = loaded(program().commands[words[0]])
        if hasattr(command, "commands"):
            command = loaded(command.commands[words[1]])
        known = {o for p in command.params for o in p.opts}
        assert {w for w in words if w.startswith("--")} <= known, words


def test_its_configurations_are_valid_and_agree() -> None:
    read = {c.name: f"runs/people/{c.name}.jsonl" for c in CORPORA}
    extracted = {words[1]: words for words in commands() if words[0] == "extract"}
    assert set(extracted) == set(read.values())
    for run, preset in TRAINING.values():
        config = load_training(find_preset("train", preset), [])
        assert config.output == run
        assert {str(c.manifest) for c in config.data.manifests} == set(read.values())
        assert str(config.data.store) == extracted[read["ravdess"]][3]
        inputs = config.model.streams if hasattr(config, "model") else config.fusion.modalities
        for spec in inputs:
            for corpus in CORPORA:
                assert spec.source in extracted[read[corpus.name]][5].split(","), spec.source
    path = find_preset("evaluate", "people")
    asked = [words for words in commands() if words[0] in ("evaluate", "enrolment")]
    assert len(asked) == 2 * 3 * 3 + 3 + 2  # of the validation people
    found = [load_config(EvalConfig, path, overrides(words)) for words in asked]
    assert len({str(config.output) for config in found}) == len(found)
    assert str(load_config(EvalConfig, path, []).model) == "models/people/llm"


def test_a_missing_corpus_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, told in (
        ([], "make people DATA="),
        ([str(tmp_path)], f"{tmp_path}/ravdess: is not a folder"),
    ):
        monkeypatch.setattr(sys, "argv", ["making", *words])
        with pytest.raises(SystemExit) as left:
            making.main()
        err = capsys.readouterr().err
        assert left.value.code == 2 and told in err and err.count("\n") == 1


def test_people_are_counted_by_split() -> None:
    samples = [
        Sample(id=f"{split}-{person}-{n}", audio="x.wav", group=person, split=split)
        for split, person in (("train", "a"), ("train", "b"), ("test", "c"))
        for n in range(3)
    ]
    manifest = Manifest(Path("x.jsonl"), "emodb", get_label_set("people"), tuple(samples))
    assert collecting.counted(manifest) == {
        "train": {"clips": 6, "people": 2},
        "val": {"clips": 0, "people": 0},
        "test": {"clips": 3, "people": 1},
    }


def test_what_was_made_is_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = made.results(tmp_path / "source")
    for corpus in CORPORA:
        folder = making.evaluated("llm", corpus, "none")
        folder.mkdir(parents=True)
        one = read_predictions(source / f"llm-{corpus.name}-none.jsonl")
        rows = [r.model_copy(update={"reason": "A high voice.", "answer": "x"}) for r in one.rows]
        write_predictions(folder / "predictions.jsonl", one.header, rows)
    results = tmp_path / "results"
    results.mkdir()
    assert collecting.collect_predictions(results) == [f"llm-{c.name}-none.jsonl" for c in CORPORA]
    (first, *_) = read_answers(results, "llm", "none")
    assert first.predictions.header.model == "models/people/llm"
    assert {(r.reason, r.answer, r.latency_ms) for r in first.rows()} == {(None, None, None)}
    assert len(first.rows()) == 28 and first.beside() == []
    for run, _ in TRAINING.values():
        (run / "model").mkdir(parents=True)
        (run / "model/config.json").write_text("{}")
    collecting.collect_weights(tmp_path / "models")
    # Nothing here to calibrate on: the files are pinned as they are.
    collecting.calibrate_weights(tmp_path / "nothing", tmp_path / "models")
    check_sums(tmp_path / "models")
    assert (tmp_path / "models/llm/config.json").is_file()

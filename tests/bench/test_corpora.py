"""Corpora as folds of a bench: splits, labels, people known by their own clips, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from emollama.base.errors import EmollamaError
from emollama.bench.answers_file import read_answers
from emollama.bench.bench import run_bench, score_folder
from emollama.bench.configuration import BenchConfig
from emollama.bench.folds import fold_warnings
from emollama.bench.plan import Run, load_bench
from emollama.bench.tested_people import known_in_test
from emollama.bench.workshop import Workshop
from emollama.inputs.enrolment import fit_people
from emollama.inputs.mixture import Mixture, key_of
from emollama.manifest.sample import Targets, read_manifest, write_manifest
from emollama.scoring.predictions.predictions import read_predictions
from tests.inputs.corpora import make_corpora

REGRESSION = "logistic regression: voice"
BY_PERSON = "logistic regression, person: voice"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Three corpora of four people; `third` has the clips of `java` under other names."""
    folder = tmp_path_factory.mktemp("corpora")
    found = make_corpora(folder)
    java = read_manifest(folder / "java/manifest.jsonl")
    samples = [s.model_copy(update={"video": f"third/{s.id}.mp4"}) for s in java.samples]
    write_manifest(folder / "third.jsonl", "third", java.labels, samples)
    found["manifests"].append(
        {"manifest": str(folder / "third.jsonl"), "store": found["manifests"][1]["store"]}
    )
    return found


def configured(data: dict[str, Any], output: Path, **more: Any) -> BenchConfig:
    values = {
        "output": str(output),
        "data": data,
        "folds": {"scheme": "corpus", "validation": 4},
        "standardise": ["corpus", "person"],
        "base": {
            "fusion": {
                "system": "early",
                "modalities": [{"name": "voice", "channel": "voice", "source": "voice"}],
            },
            "training": {"epochs": 2, "batch_size": 8, "learning_rate": 0.02},
        },
        "models": {"early": {}},
        "seeds": [1, 2],
        "ensembles": {"both": ["early, corpus", "early, person"]},
        "metric": "uar",
        "by": "group",
        "bootstrap": 100,
        **more,
    }
    path = output.parent / f"{output.name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return load_bench(path, [])


@pytest.fixture(scope="module")
def finished(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("bench") / "bench"
    run_bench(configured(data, output))
    return output


def test_each_corpus_is_tested_once_and_people_of_every_other_validate(
    data: dict[str, Any], finished: Path
) -> None:
    shop = Workshop(configured(data, finished))
    assert [fold.name for fold in shop.folds] == ["german", "java", "third"]
    assert fold_warnings(shop.folds) == []
    for k, fold in enumerate(shop.folds):
        others = {"german", "java", "third"} - {fold.name}
        parts = {name: shop.part(k, name) for name in ("train", "val", "test")}
        assert {key_of(s.id) for s in parts["test"]} == {fold.name}
        for name in ("train", "val"):
            assert {key_of(s.id) for s in parts[name]} == others, (fold.name, name)
        assert not {s.group for s in parts["train"]} & {s.group for s in parts["val"]}
        assert isinstance(fold.trained, Mixture)
        assert {corpus.key for corpus in fold.trained.corpora} == others
        assert {key_of(s.id) for s in fold.trained.samples} == others


def test_a_corpus_is_scored_on_labels_that_the_others_know(
    data: dict[str, Any], finished: Path
) -> None:
    german = Workshop(configured(data, finished)).folds[0]
    assert german.labels.labels == ("happy", "angry")
    assert german.notes == (
        "clips of labels that the other corpora do not know are not scored: neutral 12",
    )
    answers = read_answers(finished / "answers.json")
    names, fold = answers["labels"]["labels"], np.array(answers["fold"])
    assert answers["folds"][0]["labels"] == ["happy", "angry"]
    for row in answers["rows"]:
        for columns in row["seeds"].values():
            said = {names[i] for i in np.array(columns["label"])[fold == 0]}
            assert said <= {"happy", "angry"}, row["name"]
    path = finished / "predictions/early--joint--person/seed-1/predictions.jsonl"
    for row in read_predictions(path).rows:
        assert row.scores is not None and sum(row.scores.values()) == pytest.approx(1, abs=1e-3)
        if row.fold == "german":
            assert {x for x, p in row.scores.items() if p} <= {"happy", "angry"}


def test_the_table_has_a_column_for_each_corpus_and_is_made_again(
    finished: Path, tmp_path: Path
) -> None:
    result = json.loads((finished / "bench.json").read_text())
    rows = {row["name"]: row for row in result["rows"]}
    assert set(rows) == {"early, corpus", "early, person", "both", REGRESSION, BY_PERSON}
    for row in rows.values():
        own = [row["corpora"][name]["value"] for name in ("german", "java", "third")]
        assert row["scores"]["uar"]["value"] == pytest.approx(np.mean(own), abs=2e-6)
    for name, other in (("early, corpus", REGRESSION), ("early, person", BY_PERSON)):
        found = rows[name]["difference"]
        values = [rows[x]["scores"]["uar"]["value"] for x in (name, other)]
        assert found["against"] == other
        assert found["value"] == pytest.approx(values[0] - values[1], abs=2e-6)
        assert found["ci_low"] <= found["value"] <= found["ci_high"]
    page = (finished / "bench.md").read_text()
    assert "| model | standardised by | german | java | third | mean UAR |" in page
    assert "By person is transductive: all clips of a tested person" in page
    (tmp_path / "answers.json").write_bytes((finished / "answers.json").read_bytes())
    score_folder(tmp_path)
    for name in ("bench.json", "bench.md", "bench.png"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name


def test_a_number_of_clips_makes_people_known_and_is_not_scored(
    data: dict[str, Any], tmp_path: Path
) -> None:
    shop = Workshop(configured(data, tmp_path / "bench", enrol=2))
    assert fold_warnings(shop.folds) == []
    parts = {name: shop.part(1, name) for name in ("train", "test", "enrolled")}
    assert len(parts["enrolled"]) == 8 and len({s.group for s in parts["enrolled"]}) == 4
    assert not {s.id for s in parts["enrolled"]} & {s.id for s in parts["test"]}
    section, reader = shop.opened[max(shop.opened)]
    assert section.standardise is True
    by_person = section.model_copy(update={"standardise": "person"})
    readers = {"voice": reader}
    people = fit_people([by_person], readers, parts["train"], shop.labels.labels)
    assert people is not None
    first = parts["test"][0]
    clips = {
        enrol: known_in_test(people.prior, readers, enrol, parts["test"], parts["enrolled"])
        for enrol in (2, "all", "none")
    }
    assert clips["none"] is None
    found = [clips[enrol].person(first.id).clips for enrol in (2, "all")]  # type: ignore[union-attr]
    own = [s for s in parts["test"] if s.group == first.group]
    assert found == [2, len(own)]


def test_labels_of_the_tested_corpus_change_no_answer(data: dict[str, Any], tmp_path: Path) -> None:
    """Neither selection nor prior nor enrolment reads them, for a model and the regression."""
    german, *others = data["manifests"]
    path = tmp_path / "german.jsonl"
    manifest = read_manifest(Path(german["manifest"]))
    swapped = {"happy": "angry", "angry": "happy"}
    samples = [
        s.model_copy(update={"targets": Targets(emotion=swapped.get(x, x))})
        for s in manifest.samples
        if (x := s.targets.emotion) is not None
    ]
    write_manifest(path, "german", manifest.labels, samples)
    found = []
    for name, first in (("true", german), ("swapped", {**german, "manifest": str(path)})):
        config = configured({**data, "manifests": [first, *others]}, tmp_path / name)
        shop = Workshop(config)
        result = shop.do(Run("early--joint--person", 0, 1))
        fitted = shop.baseline(shop.rows["early--joint--person"], 0)
        rows = {row["id"]: row["scores"] for row in result["rows"]}
        found.append((result["best"], rows, {row.id: row.scores for row in fitted}))
    assert found[0] == found[1]


def test_a_run_by_person_is_done_again_for_another_enrolment(
    data: dict[str, Any], finished: Path
) -> None:
    shop = Workshop(configured(data, finished, enrol="none"))
    done = {}
    for key in shop.rows:
        run = next(r for r in _runs(shop) if r.row == key)
        done[key] = shop.finished(run, shop.configured(run)) is not None
    assert done == {"early--joint--corpus": True, "early--joint--person": False}


def _runs(shop: Workshop) -> list[Any]:
    from emollama.bench.bench import waves

    return list(waves(shop))[-1]


def test_one_corpus_by_person_in_folds_of_its_own(data: dict[str, Any], tmp_path: Path) -> None:
    one = {key: data["manifests"][0][key] for key in ("manifest", "store")}
    folds = {"scheme": "leave-one-group-out", "validation": 3}
    config = configured(
        one, tmp_path / "bench", folds=folds, seeds=[1], standardise=["person"], ensembles={}
    )
    result = run_bench(config)
    assert {row["name"] for row in result["rows"]} == {"early, person", BY_PERSON}
    assert result["enrol"] == "all"
    assert "By person is transductive" in (tmp_path / "bench/bench.md").read_text()


def test_a_corpus_alone_is_refused(data: dict[str, Any], tmp_path: Path) -> None:
    alone = {**data, "manifests": data["manifests"][:1]}
    with pytest.raises(EmollamaError, match=r"two corpora or more .* 'german' is alone"):
        Workshop(configured(alone, tmp_path / "bench"))


def test_a_person_in_two_corpora_is_refused(data: dict[str, Any], tmp_path: Path) -> None:
    """Two manifests of one corpus have the same people."""
    twice = {**data, "manifests": [*data["manifests"][:2], data["manifests"][1]]}
    told = "fold java: data.manifests: group 'java/actor-0' is on both sides"
    with pytest.raises(EmollamaError, match=told):
        Workshop(configured(twice, tmp_path / "bench"))


def test_labels_that_no_other_corpus_knows_are_refused(
    data: dict[str, Any], tmp_path: Path
) -> None:
    german, java, _ = data["manifests"]
    odd = {**data, "manifests": [german, {**java, "map": {"happy": None}}]}
    told = "fold german: the other corpora know only 'angry' of its labels"
    with pytest.raises(EmollamaError, match=told):
        Workshop(configured(odd, tmp_path / "bench"))


def test_clips_of_a_corpus_that_names_nobody_validate_one_by_one(
    data: dict[str, Any], tmp_path: Path
) -> None:
    java = read_manifest(Path(data["manifests"][1]["manifest"]))
    samples = [s.model_copy(update={"group": None, "speaker": None}) for s in java.samples]
    path = tmp_path / "nobody.jsonl"
    write_manifest(path, "nobody", java.labels, samples)
    german, second, _ = data["manifests"]
    two = {**data, "manifests": [german, {**second, "manifest": str(path)}]}
    shop = Workshop(configured(two, tmp_path / "bench", standardise=["corpus"], ensembles={}))
    assert len(shop.part(0, "val")) == 4 and len(shop.part(0, "train")) == 12
    by_person = configured(two, tmp_path / "bench", standardise=["person"], ensembles={})
    with pytest.raises(EmollamaError, match="at least two people with two clips"):
        run_bench(by_person)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"folds": {"scheme": "k-fold"}}, "'corpus' needs data.manifests"),
        ({"llm": ["a.jsonl"]}, "scheme corpus compares fusion models only"),
        ({"folds": {"scheme": "corpus", "by": "none"}}, "corpus needs by: group"),
        ({"folds": {"scheme": "corpus", "of": "train"}}, "scheme corpus already chooses"),
        ({"standardise": ["person", "person"]}, "a way occurs twice"),
        ({"enrol": 0}, "enrol"),
    ],
)
def test_mistakes_are_one_line(
    data: dict[str, Any], tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(EmollamaError, match=told) as error:
        configured(data, tmp_path / "bench", **changed)
    assert "\n" not in str(error.value)


def test_one_manifest_or_several_but_not_both(data: dict[str, Any], tmp_path: Path) -> None:
    for broken in ({"store": "x"}, {**data, "manifest": "x.jsonl"}):
        with pytest.raises(EmollamaError, match=r"give data.manifest or data.manifests"):
            configured(broken, tmp_path / "bench")
    first = {**data["manifests"][0], "split_file": "x.jsonl"}
    with pytest.raises(EmollamaError, match=r"manifests.0.split_file: the bench makes the folds"):
        configured({**data, "manifests": [first, *data["manifests"][1:]]}, tmp_path / "bench")

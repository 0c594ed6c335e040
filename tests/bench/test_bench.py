"""`emollama bench`: folds, selection, resume, the table from answers alone, the LLM's row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from emollama.base.errors import EmollamaError
from emollama.bench import bench as whole
from emollama.bench.bench import run_bench, score_folder
from emollama.bench.configuration import BenchConfig
from emollama.bench.plan import load_bench
from emollama.bench.workshop import Workshop
from emollama.fusion.artefact import load
from emollama.manifest.sample import read_manifest, write_manifest
from emollama.scoring.predictions.predictions import read_predictions, write_predictions
from tests.fusion.corpus import LABELS, make

SEARCH = {"trials": 2, "seed": 99, "space": {"training.learning_rate": [0.02, 1e-5]}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    make(folder)
    # Eight groups for two folds, each with a group to validate on.
    regroup(folder / "manifest.jsonl", lambda i: f"g{i % 8}")
    return folder


def regroup(path: Path, group: Any) -> None:
    samples = [
        s.model_copy(update={"group": group(i)}) for i, s in enumerate(read_manifest(path).samples)
    ]
    write_manifest(path, "three", LABELS, samples)


def configured(corpus: Path, output: Path, **more: Any) -> BenchConfig:
    base = yaml.safe_load((corpus / "fusion.yaml").read_text())
    base["training"]["epochs"] = 2
    values = {
        "output": str(output),
        "data": base.pop("data"),
        "folds": {"folds": 2, "validation": 4},
        "base": base,
        "models": {"early": {"search": SEARCH}, "voice": {"modalities": ["voice"]}},
        "seeds": [1, 2],
        "ensembles": {"both": ["early", "voice"]},
        "metric": "uar",
        "bootstrap": 100,
        **more,
    }
    path = corpus / f"{output.name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return load_bench(path, [])


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("bench") / "bench"
    run_bench(configured(corpus, output, keep=True))
    return output


def test_kept_models_are_whole_and_a_run_without_its_own_is_done_again(
    corpus: Path, finished: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "bench"
    shutil.copytree(finished, copied)
    shop = Workshop(configured(corpus, copied, keep=True))
    runs = list(whole.waves(shop))[-1]
    assert all(load(shop.model_folder(run)).config.system == "early" for run in runs)
    shutil.rmtree(shop.model_folder(runs[0]))
    done = [shop.finished(run, shop.configured(run)) is not None for run in runs]
    assert done == [False] + [True] * (len(runs) - 1)


def test_folds_cut_no_group_and_test_each_clip_once(corpus: Path, finished: Path) -> None:
    shop = Workshop(configured(corpus, finished))
    tested: list[str] = []
    for k in range(2):
        groups = [{s.group for s in shop.part(k, split)} for split in ("train", "val", "test")]
        assert all(groups)
        assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
        tested += [s.id for s in shop.tested(k)]
    assert sorted(tested) == sorted(s.id for s in read_manifest(corpus / "manifest.jsonl").samples)


def test_the_table_is_made_again_from_answers_alone(finished: Path, tmp_path: Path) -> None:
    files = ("bench.json", "bench.md", "bench.png")
    (tmp_path / "answers.json").write_bytes((finished / "answers.json").read_bytes())
    score_folder(tmp_path)
    for name in files:
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name
    result = json.loads((tmp_path / "bench.json").read_text())
    rows = {row["name"]: row for row in result["rows"]}
    assert set(rows) == {
        "early", "voice", "both", "logistic regression: voice",
        "logistic regression: voice + words",
    }  # fmt: skip
    assert rows["voice"]["difference"]["against"] == "logistic regression: voice"
    assert set(rows["early"]["scores"]["uar"]["by_seed"]) == {"1", "2"}
    predicted = read_predictions(finished / "predictions/early--joint/seed-1/predictions.jsonl")
    assert {row.fold for row in predicted.rows} == {"0", "1"} and len(predicted.rows) == 48


def test_every_row_is_held_against_the_one_named(
    corpus: Path, finished: Path, tmp_path: Path
) -> None:
    again = tmp_path / "bench"
    shutil.copytree(finished, again)
    result = run_bench(configured(corpus, again, keep=True, compare="voice"))
    rows = {row["name"]: row for row in result["rows"]}
    assert "compared" not in rows["voice"]
    values = {name: row["scores"]["uar"]["value"] for name, row in rows.items()}
    for name in set(rows) - {"voice"}:
        found = rows[name]["compared"]
        assert found["value"] == pytest.approx(values[name] - values["voice"], abs=2e-6)
        assert found["ci_low"] <= found["value"] <= found["ci_high"]
    page = (again / "bench.md").read_text()
    assert "UAR against logistic regression | UAR against voice |" in page
    assert score_folder(again) == result
    with pytest.raises(
        EmollamaError, match="compare: no row is named 'vioce'; did you mean 'voice'"
    ):
        run_bench(configured(corpus, tmp_path / "other", compare="vioce"))


def test_an_ensemble_answers_with_the_mean_over_rows_and_seeds(finished: Path) -> None:
    answers = json.loads((finished / "answers.json").read_text())
    labels, ids = answers["labels"]["labels"], answers["ids"]
    both = next(row for row in answers["rows"] if row["name"] == "both")["seeds"]["0"]["label"]
    total = np.zeros((len(ids), len(labels)))
    for path in finished.glob("predictions/*/*/predictions.jsonl"):
        rows = {row.id: row.scores or {} for row in read_predictions(path).rows}
        total += [[rows[i][x] for x in labels] for i in ids]
    assert both == total.argmax(axis=1).tolist()
    assert len(list(finished.glob("predictions/*/*/predictions.jsonl"))) == 4


def test_a_killed_bench_goes_on_and_ends_the_same(
    corpus: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(corpus, tmp_path / "killed")
    done: list[str] = []
    do = Workshop.do

    def counted(self: Workshop, run: Any) -> Any:
        if len(done) == 6:
            raise KeyboardInterrupt
        done.append(run.key)
        return do(self, run)

    monkeypatch.setattr(Workshop, "do", counted)
    with pytest.raises(KeyboardInterrupt):
        run_bench(config)
    first = list(done)
    done[:] = []
    monkeypatch.setattr(Workshop, "do", lambda self, run: (done.append(run.key), do(self, run))[1])
    run_bench(config)
    assert len(first) == 6 and not set(first) & set(done)
    mine, theirs = (json.loads((p / "bench.json").read_text()) for p in (config.output, finished))
    for a, b in zip(mine["rows"], theirs["rows"], strict=True):
        assert a["name"] == b["name"] and a["scores"] == b["scores"]


def test_the_test_part_is_never_in_selection(corpus: Path, tmp_path: Path) -> None:
    """With every label of the test split wrong, the same trial and epochs are chosen."""
    chosen = []
    for spoiled in (False, True):
        folder = tmp_path / f"spoiled-{spoiled}"
        folder.mkdir()
        manifest = read_manifest(corpus / "manifest.jsonl")
        samples = [
            s.model_copy(update={"targets": s.targets.model_copy(update={"emotion": "sad"})})
            if spoiled and s.split == "test"
            else s
            for s in manifest.samples
        ]
        write_manifest(folder / "manifest.jsonl", "three", LABELS, samples)
        config = configured(
            corpus, folder / "bench", folds={"scheme": "official"}, seeds=[1],
            data={"manifest": str(folder / "manifest.jsonl"), "store": str(corpus / "store")},
        )  # fmt: skip
        run_bench(config)
        shop = Workshop(config)
        trial = shop.best_trial(shop.rows["early--joint"], 0)
        runs = [shop.finished(r, shop.configured(r)) for wave in whole.waves(shop) for r in wave]
        chosen.append((trial["drawn"], [r and r["best"] for r in runs]))
        assert "rows" not in trial
    assert chosen[0] == chosen[1]


def test_the_llm_is_beside_them_only_on_the_same_folds(
    corpus: Path, finished: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "bench"
    shutil.copytree(finished, copied)
    shop = Workshop(configured(corpus, copied))
    source = read_predictions(finished / "predictions/early--joint/seed-1/predictions.jsonl")
    paths = []
    for k, fold in enumerate(shop.folds):
        rows = [r for r in source.rows if r.fold == fold.name]
        path = tmp_path / f"llm-{k}.jsonl"
        header = source.header.model_copy(update={"split_sha256": fold.sha256})
        write_predictions(path, header, rows)
        paths.append(path)
    config = configured(corpus, copied, llm=[str(p) for p in paths])
    found = {row["name"]: row for row in run_bench(config)["rows"]}
    early = found["early"]["scores"]["uar"]["by_seed"]["1"]
    assert found["language model"]["scores"]["uar"]["value"] == early
    unnamed = source.header.model_copy(update={"split_sha256": None})
    write_predictions(paths[0], unnamed, [r for r in source.rows if r.fold == "0"])
    again = {row["name"]: row for row in run_bench(config)["rows"]}
    assert again["language model"]["scores"]["uar"]["value"] == early
    write_predictions(paths[0], source.header, rows)
    with pytest.raises(EmollamaError, match="matches none of the folds"):
        run_bench(config)
    header = source.header.model_copy(update={"split_sha256": shop.folds[0].sha256})
    write_predictions(paths[0], header, [r for r in source.rows if r.fold == "0"][1:])
    with pytest.raises(EmollamaError, match="has no answer"):
        run_bench(config)


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ({"early": {"modalities": ["vioce"]}}, "modality 'vioce'; did you mean 'voice'"),
        ({"early": {"strategies": ["jont"]}}, "strategy 'jont'; did you mean 'joint'"),
        ({"early": {"overrides": {"seed": 3}}}, "'seed' is set by the bench"),
        ({"early": {"overrides": {"fusion": {"system": "erly"}}}}, "did you mean 'early'"),
        ({"early": {"modality": ["voice"]}}, "unknown key 'models.early.modality'; did you mean"),
        ({"early": {"search": {**SEARCH, "seed": 1}}}, "is also one of the bench's seeds"),
    ],
)
def test_mistakes_are_one_line(
    corpus: Path, tmp_path: Path, models: dict[str, Any], told: str
) -> None:
    with pytest.raises(EmollamaError, match=told):
        configured(corpus, tmp_path / "bench", models=models)


def test_an_ensemble_of_no_row_is_one_line(corpus: Path, tmp_path: Path) -> None:
    config = configured(corpus, tmp_path / "bench", ensembles={"both": ["erly"]})
    with pytest.raises(EmollamaError, match="row 'erly'; did you mean 'early'"):
        run_bench(config)

"""Committed predictions make the committed reports, tables and scores again, byte for byte."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emollama.base.files import write_json, write_text
from emollama.bench.answers_file import read_answers
from emollama.bench.report import bench_page, bench_result
from emollama.cli.app import app
from emollama.evaluation.known_clues import vocabulary_of
from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.offsets import with_offsets
from emollama.scoring.predictions.predictions import read_predictions
from emollama.scoring.report.cells import difference_text, score_text
from emollama.scoring.report.report import build_report
from emollama.scoring.report.scoring import score_predictions
from emollama.scoring.report.tables import markdown

from .golden_rows import GOLDEN, LABELLED, MERR_BUILT, RESULTS, scores

BENCHES = sorted(str(p.parent.relative_to(RESULTS)) for p in RESULTS.rglob("answers.json"))
FRAMES = RESULTS / "fusion" / "probe-va"


def test_every_predictions_file_is_scored_here() -> None:
    found = {str(p.relative_to(RESULTS)) for p in RESULTS.rglob("predictions.jsonl")}
    assert found == set(LABELLED.values())
    beside = {str((RESULTS / p).parent / "baseline.jsonl") for p in LABELLED.values()}
    offsets = {str(RESULTS / f"meld/{name}.jsonl") for name in ("offsets", "offsets_baseline")}
    others = {str(p) for p in RESULTS.rglob("*.jsonl") if p.name != "predictions.jsonl"}
    others -= {str(p) for p in FRAMES.rglob("*.jsonl")}  # test_the_command_that_makes_the_table
    others -= {str(RESULTS / f"merr_built/{name}.jsonl") for name in MERR_BUILT}  # golden_rows
    others -= {str(p) for p in RESULTS.glob("people/*.jsonl")}  # tests/people, test_enrolment
    others -= {str(p) for p in RESULTS.glob("recordings/*.jsonl")}  # tests/recordings
    others -= {str(p) for p in RESULTS.glob("arena/*.jsonl")}  # tests/arena
    for folder in ("reasons", "seeds"):  # tests/evaluation
        others -= {str(p) for p in RESULTS.glob(f"{folder}/**/*.jsonl")}
    assert others == beside | offsets
    assert BENCHES == [
        "corpora/javased", "corpora/voice", "corpora/words", "fusion/probe", "fusion/ravdess",
        "fusion/ravdess-llm", "fusion/ravdess-people", "fusion/ravdess-people-4",
        "fusion/ravdess-strategies",
    ]  # fmt: skip


@pytest.mark.parametrize("name", LABELLED)
def test_report(name: str, tmp_path: Path) -> None:
    """Everything but the figures, whose names are taken from the committed report."""
    path = RESULTS / LABELLED[name]
    found = read_predictions(path)
    report = build_report(
        found,
        read_predictions(path.parent / "baseline.jsonl"),
        metric="uar" if name.startswith("ravdess") else "weighted_f1",
        vocabulary=vocabulary_of(found.header.corpus),
    )
    report["figures"] = json.loads((path.parent / "report.json").read_text())["figures"]
    write_json(tmp_path / "report.json", report)
    write_text(tmp_path / "report.md", markdown(report))
    for file in ("report.json", "report.md"):
        assert (tmp_path / file).read_bytes() == (path.parent / file).read_bytes(), file


@pytest.mark.parametrize("name", BENCHES)
def test_bench(name: str, tmp_path: Path) -> None:
    folder = RESULTS / name
    result = bench_result(read_answers(folder / "answers.json"))
    write_json(tmp_path / "bench.json", result)
    write_text(tmp_path / "bench.md", bench_page(result))
    for file in ("bench.json", "bench.md"):
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes(), file


def test_offsets_of_meld() -> None:
    """What README.md and docs/results.md tell of the answers that offsets decide."""
    files = ("predictions", "offsets", "baseline", "offsets_baseline")
    model, held, base, held_base = (read_predictions(RESULTS / f"meld/{f}.jsonl") for f in files)
    decided = with_offsets(model, held), with_offsets(base, held_base)
    result = score_predictions(
        decided[0], Context(model.header.labels), ["weighted_f1", "accuracy", "macro_f1"],
        decided[1],
    )  # fmt: skip
    assert [score_text(r) for r in result["results"]] == [
        "0.589 [0.558, 0.621]", "0.608 [0.579, 0.638]", "0.442 [0.402, 0.479]",
    ]  # fmt: skip
    assert difference_text(result["differences"][0]).startswith("+0.052 [+0.024, +0.077]")


def test_scores_of_every_metric(tmp_path: Path) -> None:
    """Each metric's value, interval and paired difference on made rows and committed ones."""
    golden, found = json.loads(GOLDEN.read_text()), json.loads(json.dumps(scores(tmp_path)))
    assert set(found) == set(golden)
    for source, kinds in golden.items():
        for kind, metrics in kinds.items():
            for metric, kept in metrics.items():
                assert_same(found[source][kind][metric], kept, f"{source}: {kind} {metric}")


def assert_same(found: Any, golden: Any, where: str) -> None:
    """The same tree, numbers to the last digit that a sum in another order leaves."""
    if isinstance(golden, dict):
        assert found.keys() == golden.keys(), where
        for key in golden:
            assert_same(found[key], golden[key], f"{where} {key}")
    elif isinstance(golden, list):
        assert len(found) == len(golden), where
        for k, (one, two) in enumerate(zip(found, golden, strict=True)):
            assert_same(one, two, f"{where} {k}")
    elif isinstance(golden, float):
        assert found == pytest.approx(golden, rel=1e-12, abs=1e-14), where
    else:
        assert found == golden, where


def run(line: str) -> None:
    """A command as the README and docs/results.md have it."""
    result = CliRunner().invoke(app, shlex.split(line))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output


def assert_same_files(folder: Path, committed: Path, *names: str) -> None:
    for name in names:
        assert (folder / name).read_bytes() == (committed / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.parametrize("name", LABELLED)
def test_the_command_that_makes_a_report(name: str, tmp_path: Path) -> None:
    folder = (RESULTS / LABELLED[name]).parent
    metric = " --metric uar" if name.startswith("ravdess") else ""
    run(
        f"score {folder}/predictions.jsonl --baseline {folder}/baseline.jsonl "
        f"--out {tmp_path}{metric}"
    )
    assert_same_files(tmp_path, folder, "report.json", "report.md")


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHES)
def test_the_command_that_makes_a_bench_again(name: str, tmp_path: Path) -> None:
    folder = RESULTS / name
    shutil.copy(folder / "answers.json", tmp_path)
    run(f"bench --score {tmp_path}")
    assert_same_files(tmp_path, folder, "bench.json", "bench.md")


@pytest.mark.slow
def test_the_command_that_makes_the_table_over_time(tmp_path: Path) -> None:
    names = ["ridge", "fclstm", "transformer", "transformer-lstm", "transformer-attention", "mean"]
    folders = " ".join(f"{FRAMES}/{name}" for name in names)
    run(f"frames table {folders} --against {FRAMES}/ridge --by group --out {tmp_path}/table.md")
    assert_same_files(tmp_path, FRAMES, "table.md")

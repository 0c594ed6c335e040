"""`emollama score`: metrics asked for by name, compared, in three formats, mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from emollama.base.errors import EmollamaError
from emollama.cli.app import app
from emollama.endpoints import judge as judges
from emollama.endpoints.judge import LocalJudge
from emollama.manifest.sample import Sample, Targets, write_manifest
from emollama.scoring.metrics.registry import METRICS, NEEDS
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, write_predictions
from tests.tiny import tiny_llm

from .made import MER2023, random_predictions
from .test_measures import sentiments, several
from .test_offsets import leaning
from .wheel_made import write_tables

HEADER = Header(labels=MER2023, corpus="made", split="test", seed=3)


def run(*words: Any) -> str:
    result = CliRunner().invoke(app, ["score", *map(str, words), "--bootstrap", "100"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def written(path: Path, rows: list[Prediction], header: Header = HEADER) -> Path:
    write_predictions(path, header, rows)
    return path


def test_metrics_by_name_in_three_formats(tmp_path: Path) -> None:
    path = written(tmp_path / "p.jsonl", random_predictions(60))
    call = (path, "--metric", "uar", "--metric", "weighted_f1")
    result = json.loads(run(*call, "--format", "json", "--out", tmp_path / "o"))
    assert [r["metric"] for r in result["results"]] == ["uar", "weighted_f1"]
    first = result["results"][0]
    assert first["n_scored"] == first["n_total"] == 60 and "two labels" in first["failures"]
    assert first["ci_low"] < first["value"] < first["ci_high"]
    page = run(*call, "--format", "markdown")
    assert f"| UAR (macro recall) | {first['value']:.4f} |" in page
    figures = ["confusion.png", "per_class.png", "reliability.png", "roc.png", "pr.png"]
    shown = (tmp_path / "o" / "metrics.md").read_text()
    assert shown.startswith(page.rstrip()) and "![confusion](confusion.png)" in shown
    whole = json.loads((tmp_path / "o" / "metrics.json").read_text())
    assert whole == result | {"figures": figures}
    assert all((tmp_path / "o" / name).stat().st_size > 1000 for name in figures)
    assert str(tmp_path) not in json.dumps(result) and "UAR" in run(*call)


def test_without_names_what_the_rows_hold_is_scored(tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl", sentiments()[0])
    names = [r["metric"] for r in json.loads(run(path, "--format", "json"))["results"]]
    assert names == [n for n, m in METRICS.items() if m.needs == "sentiment"]
    path = written(tmp_path / "m.jsonl", several()[0])
    names = [r["metric"] for r in json.loads(run(path, "--format", "json"))["results"]]
    assert names == [n for n, m in METRICS.items() if m.needs in ("labels", "label scores")]
    assert {m.needs for m in METRICS.values()} == set(NEEDS)


def test_figures_are_of_what_the_rows_hold(tmp_path: Path) -> None:
    out = tmp_path / "o"
    call = ("--metric", "micro_f1", "--out", out)
    run(written(tmp_path / "a.jsonl", random_predictions(40)), "--metric", "uar", "--out", out,
        "--metric", "accuracy")  # fmt: skip
    assert (out / "confusion.png").exists()
    run(written(tmp_path / "m.jsonl", several()[0]), *call)
    assert {p.name for p in out.glob("*.png")} == {"per_class.png", "roc.png", "pr.png"}
    run(written(tmp_path / "s.jsonl", sentiments()[0]), "--metric", "mae", "--out", out)
    assert not list(out.glob("*.png"))


def test_labels_are_read_anew_and_folds_are_pooled(tmp_path: Path) -> None:
    rows = [
        Prediction(id=f"{i}", reference="sad", label="angry", answer=text)
        for i, text in enumerate(("not angry but sad", "angry", "Sad.", "neutral"))
    ]
    one = written(tmp_path / "1.jsonl", rows[:2])
    two = written(tmp_path / "2.jsonl", rows[2:])
    call = (one, two, "--metric", "war_folds", "--metric", "weighted_f1_upstream")
    out = json.loads(run(*call, "--parser", "upstream", "--format", "json"))["results"]
    found = {r["metric"]: r for r in out}
    assert [f["value"] for f in found["war_folds"]["detail"]["folds"]] == [0.5, 0.0]
    assert found["accuracy"]["value"] == 0.25 and found["accuracy"]["n_scored"] == 4
    assert found["accuracy"]["failures"] == {"last word is no label": 1}
    assert found["weighted_f1_upstream"]["value"] == found["weighted_f1"]["value"]
    with pytest.raises(EmollamaError, match="'0' is also in"):
        run(one, one)


def test_rows_are_held_against_the_manifest(tmp_path: Path) -> None:
    samples = [
        Sample(id=i, split=split, targets=Targets(emotion="sad", valence=0.5))
        for i, split in (("a", "test"), ("b", "test"), ("c", "train"))
    ]
    manifest = tmp_path / "m.jsonl"
    write_manifest(manifest, "made", MER2023, samples)
    row = Prediction(id="a", label="sad")
    call = ("--manifest", manifest, "--metric", "accuracy", "--format", "json")
    out = json.loads(run(written(tmp_path / "p.jsonl", [row]), *call))["results"][0]
    assert (out["value"], out["n_scored"], out["failures"]) == (0.5, 2, {"no row in the file": 1})
    for bad, message in (
        (Prediction(id="c", label="sad"), r"p.jsonl:3: id 'c' is not in .*m.jsonl, split test"),
        (Prediction(id="b", label="sad", reference="angry"), r":3: id 'b' has reference 'angry'"),
    ):
        with pytest.raises(EmollamaError, match=message):
            run(written(tmp_path / "p.jsonl", [row, bad]), *call)


def test_compare_gives_paired_differences(tmp_path: Path) -> None:
    a, b = random_predictions(80, right=0.9, unparsed=0), random_predictions(80, right=0.1)
    b = [y.model_copy(update={"reference": x.reference}) for x, y in zip(a, b, strict=True)]
    one, two = written(tmp_path / "a.jsonl", a), written(tmp_path / "b.jsonl", b)
    out = json.loads(run(one, "--compare", two, "--metric", "accuracy", "--format", "json"))
    difference = out["differences"][0]
    assert difference["ci_low"] > 0 and difference["n"] == 80
    assert out["compared_with"]["name"] == "b.jsonl"
    assert "a.jsonl minus b.jsonl, paired" in run(one, "--compare", two, "--format", "markdown")


def test_wheel_metrics_stand_beside_their_correction(tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "w")
    path = tmp_path / "x-openset.npz"
    np.savez(path, filenames=np.array(["a", "b"]), fileitems=np.array(["[fear]", "[sad]"]))
    truth = tmp_path / "t.csv"
    truth.write_text("name,discrete\na,happy\nb,neutral\n")
    call = (path, "--reader", "openset", "--reference", truth, "--format", "json")
    out = json.loads(run(*call, "--wheel", folder, "--metric", "hit_rate"))
    found = {r["metric"]: r for r in out["results"]}
    assert found["hit_rate"]["value"] == 1 and found["hit_rate_corrected"]["value"] == 0
    assert "hit_precision_corrected" in found and found["hit_rate"]["n_scored"] == 1
    assert found["hit_rate"]["detail"]["tables"] == "own tables"
    with pytest.raises(EmollamaError, match="need --wheel DIR"):
        run(*call, "--metric", "hit_rate")


def test_thresholds_come_from_other_samples(tmp_path: Path) -> None:
    test = written(tmp_path / "t.jsonl", several()[0])
    held = [r.model_copy(update={"id": f"v{r.id}"}) for r in several(seed=1)[0]]
    call = (test, "--metric", "micro_f1", "--format", "json", "--validation")
    out = json.loads(run(*call, written(tmp_path / "v.jsonl", held)))
    assert set(out["results"][0]["detail"]["thresholds"]) == set(MER2023.labels)
    with pytest.raises(EmollamaError, match="'000' is also among the predictions"):
        run(*call, test)


def test_offsets_come_from_other_samples(tmp_path: Path) -> None:
    test, other = (written(tmp_path / f"{k}.jsonl", list(leaning(2).rows)) for k in "tc")
    held = written(tmp_path / "v.jsonl", list(leaning(1).rows))
    call = (test, "--metric", "weighted_f1", "--format", "json")
    out = json.loads(run(*call, "--validation", held))
    plain = json.loads(run(*call))
    assert out["results"][0]["value"] > plain["results"][0]["value"] + 0.1
    assert "answers of model in v.jsonl" in out["file"]["decision"]
    assert plain["file"]["decision"] is None
    call = (*call, "--validation", held, "--compare", other)
    with pytest.raises(EmollamaError, match="also needs --compare-validation"):
        run(*call)
    both = json.loads(run(*call, "--compare-validation", held))
    assert both["differences"][0]["value"] == 0
    assert "v.jsonl" in both["compared_with"]["decision"]


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    path = written(tmp_path / "p.jsonl", random_predictions(5))
    for words, message in (
        (("--metric", "uarr"), "did you mean 'uar'"),
        (("--metric", "mae"), "mae needs reference_values.sentiment"),
        (("--metric", "uar_folds"), "has no fold"),
        (("--metric", "clue_overlap"), "need a judge"),
        (("--baseline", path, "--metric", "mae"), "--baseline is for the report"),
        (("--reference", path), "--reference, --labels and --split are for the output of a public"),
        (("--wheel-rules", "mer2025"), "--wheel-rules needs --wheel"),
        (("--wheel", tmp_path), "holds no format.csv"),
        (("--judge-url", "http://127.0.0.1:1"),
         "needs the name of the judge.s model.*--judge-model"),
        (("--judge-url", "http://127.0.0.1:1", "--judge-model", "m", "--judge-key-env", "NO_SUCH"),
         "'NO_SUCH' is not set"),
    ):  # fmt: skip
        with pytest.raises(EmollamaError, match=message) as error:
            run(path, *words)
        assert "\n" not in str(error.value)
    bare = written(tmp_path / "n.jsonl", [Prediction(id="a", label="sad")])
    with pytest.raises(EmollamaError, match="no row has a reference to score against"):
        run(bare)


def test_a_local_model_as_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_llm(tmp_path / "tiny")
    monkeypatch.setattr(judges, "MAX_TOKENS", 4)
    judge, question = LocalJudge(folder), [{"role": "user", "content": "Rate"}]
    assert judge.name == "tiny"
    assert judge.reply(question, print) == judge.reply(question, print)
    row = Prediction(id="a", reason="A smile.", reference_reason="He smiles.")
    path = written(tmp_path / "p.jsonl", [row])
    out = json.loads(run(
        path, "--metric", "clue_overlap", "--judge-folder", folder, "--judge-cache",
        tmp_path / "cache", "--format", "json",
    ))  # fmt: skip
    found = out["results"][0]
    assert found["detail"]["judge"] == "tiny" and found["n_total"] == 1
    assert found["n_scored"] + sum(found["failures"].values()) == 1
    assert len(list((tmp_path / "cache").rglob("*.json"))) == 1


@pytest.mark.parametrize(
    "metrics", [[], ["uar"], ["nll"], ["uar", "accuracy"], ["war_folds", "accuracy"]], ids="-".join
)
def test_out_holds_report_json_with_all_in_it_whatever_is_asked(
    tmp_path: Path, metrics: list[str]
) -> None:
    rows = [r.model_copy(update={"fold": str(i % 3)}) for i, r in enumerate(random_predictions(60))]
    path, out = written(tmp_path / "p.jsonl", rows), tmp_path / "o"
    run(path, *(word for name in metrics for word in ("--metric", name)), "--out", out)
    report = json.loads((out / "report.json").read_text())
    assert report["scores"]["uar"]["n_total"] == 60 and report["confusion"]
    asked = [] if metrics in ([], ["uar"]) else metrics
    found = [r["metric"] for r in report.get("metrics", {}).get("results", [])]
    assert found == asked
    page = (out / "report.md").read_text()
    assert "Confusion" in page
    if asked:
        assert METRICS[asked[0]].title in page
        copy = json.loads((out / "metrics.json").read_text())
        assert copy == report["metrics"] | {"figures": copy["figures"]}


def test_what_has_no_report_stands_below_metrics_alone(tmp_path: Path) -> None:
    out = tmp_path / "o"
    run(written(tmp_path / "p.jsonl", random_predictions(30)), "--out", out)
    run(written(tmp_path / "s.jsonl", sentiments()[0]), "--metric", "mae", "--out", out)
    report = json.loads((out / "report.json").read_text())
    assert [r["metric"] for r in report["metrics"]["results"]] == ["mae"]
    assert set(report) == {"metrics"}  # nothing of the older file is left
    assert "Confusion" not in (out / "report.md").read_text()


def test_a_baseline_beside_any_metric(tmp_path: Path) -> None:
    rows = random_predictions(40)
    other = [r.model_copy(update={"system": "other"}) for r in rows]
    base = written(tmp_path / "b.jsonl", other)
    run(written(tmp_path / "p.jsonl", rows), "--baseline", base, "--metric", "nll", "--metric",
        "uar", "--out", tmp_path / "o")  # fmt: skip
    report = json.loads((tmp_path / "o" / "report.json").read_text())
    assert [o["system"] for o in report["others"]] == ["other"]
    assert [r["metric"] for r in report["metrics"]["results"]] == ["nll", "uar"]

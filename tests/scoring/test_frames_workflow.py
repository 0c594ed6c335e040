"""Predictions over time: smoothing, windows, ensembles, and the files that are handed in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from emollama.base.errors import EmollamaError
from emollama.cli.frames import frames_app
from emollama.manifest.labels import LabelSet
from emollama.scoring.frames.figures import frames_figure
from emollama.scoring.frames.table import frame_table
from emollama.scoring.frames.workflow import (
    WINDOWS,
    choose_window,
    clipped,
    concordance,
    ensemble,
    finished,
    rows_of,
    smooth,
    with_windows,
    write_submission,
)
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import (
    Header,
    Predictions,
    read_predictions,
    write_predictions,
)
from emollama.scoring.report.tables import table_markdown

HEADER = Header(labels=LabelSet("two", ("low", "high")), corpus="c", split="val")


def video(name: str, valence: list[float], truth: list[float] | None = None) -> Prediction:
    arousal = [-x for x in valence]
    known = None if truth is None else {"valence": truth, "arousal": [-x for x in truth]}
    return Prediction(
        id=name, values={"valence": valence, "arousal": arousal}, reference_values=known
    )


def noisy(seed: int, length: int = 240) -> Prediction:
    rng = np.random.default_rng(seed)
    truth = np.sin(np.arange(length) / 25 + seed) * 0.8
    answer = truth + rng.normal(0, 0.6, length)
    return video(f"v{seed}", answer.tolist(), truth.tolist())


@pytest.mark.parametrize("half", [0, 1, 20])
def test_an_impulse_becomes_as_wide_as_the_window(half: int) -> None:
    impulse = np.zeros(101)
    impulse[50] = 1
    made = smooth(impulse, half)
    wide = 2 * half + 1
    assert len(made) == 101 and (made > 1e-12).sum() == wide
    np.testing.assert_allclose(made[50 - half : 51 + half], 1 / wide)


def test_edges_are_truncated_not_padded() -> None:
    np.testing.assert_allclose(smooth([1, 2, 3, 4, 5], 2), [2, 2.5, 3, 3.5, 4])
    np.testing.assert_allclose(smooth([1, 2, 3], 50), [2, 2, 2])
    np.testing.assert_allclose(smooth([4], 20), [4])
    with pytest.raises(EmollamaError, match="0 or more"):
        smooth([1.0], -1)


def test_clipping_comes_after_smoothing() -> None:
    """The other way round a spike would be cut before it is spread."""
    values = [0.0, 3.0, 0.0]
    np.testing.assert_allclose(finished(values, 1), [1, 1, 1])
    assert smooth(clipped(values), 1)[1] == pytest.approx(1 / 3)
    assert finished([9.0, -9.0], 0).tolist() == [1, -1]


def test_the_window_that_is_chosen_is_the_best_of_those_searched() -> None:
    rows = [noisy(1), noisy(2)]
    window = choose_window(rows, "valence")
    scores = {
        w: concordance(with_windows(rows, {"valence": w}), "valence") for w in range(0, 100, 5)
    }
    assert scores[window] == max(scores.values()) > scores[0]
    assert 0 < window < 95
    perfect = [video("v", [0.0, 0.5, 1.0, 0.5], [0.0, 0.5, 1.0, 0.5])]
    assert choose_window(perfect, "valence") == 0
    with pytest.raises(EmollamaError, match=r"reference_values\.valence is missing or constant"):
        choose_window([video("v", [0.0, 1.0])], "valence")


def stored(tmp_path: Path, name: str, rows: list[Prediction]) -> Predictions:
    write_predictions(tmp_path / name, HEADER, rows)
    return read_predictions(tmp_path / name)


def test_an_ensemble_is_the_plain_mean(tmp_path: Path) -> None:
    truth = [0.0, 0.5]
    one = stored(tmp_path, "a.jsonl", [video("x", [0.0, 1.0], truth), video("y", [0.4], [1.0])])
    two = stored(tmp_path, "b.jsonl", [video("y", [0.8], [1.0]), video("x", [1.0, 0.0], truth)])
    rows = ensemble([one, two])
    assert [r.id for r in rows] == ["x", "y"]
    assert rows[0].values == {"valence": (0.5, 0.5), "arousal": (-0.5, -0.5)}
    assert rows[1].values["valence"] == pytest.approx((0.6,))
    assert rows[0].reference_values == one.rows[0].reference_values
    shorter = stored(tmp_path, "c.jsonl", [video("x", [0.0]), video("y", [0.4])])
    with pytest.raises(EmollamaError, match=r"c\.jsonl: id 'x': valence has 1 frames"):
        ensemble([one, shorter])
    fewer = stored(tmp_path, "d.jsonl", [video("x", [0.0, 1.0])])
    with pytest.raises(EmollamaError, match="id 'y' is in only one"):
        ensemble([one, fewer])


def test_rows_of_one_system_and_one_set_of_channels(tmp_path: Path) -> None:
    row = video("x", [0.0])
    both = stored(tmp_path, "a.jsonl", [row, row.model_copy(update={"channels": ("face",)})])
    with pytest.raises(EmollamaError, match="several sets of channels"):
        rows_of(both)
    with pytest.raises(EmollamaError, match="did you mean 'model'"):
        rows_of(both, "modl")


def run(*words: object) -> str:
    result = CliRunner().invoke(frames_app, [str(w) for w in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_whole_workflow_from_stored_predictions_to_submission(tmp_path: Path) -> None:
    val = [noisy(1), noisy(2)]
    for name, rows in (("val", val), ("tst", [video("t", [0.1, 0.9, 2.0])])):
        stored(tmp_path, f"{name}.jsonl", rows)
    out = tmp_path / "out"
    told = run("smooth", "--val", tmp_path / "val.jsonl", "--test", tmp_path / "tst.jsonl",
               "--out", out, "--window", "arousal=1")  # fmt: skip
    assert "valence: CCC" in told and "over 101 frames" in told and "over 3 frames" in told
    targets, kinds = ("valence", "arousal"), ("nosmooth_ori.json", "nosmooth.json", "smooth.json")
    assert {p.name for p in out.iterdir()} == {
        "val_smooth.jsonl",
        "tst_smooth.jsonl",
        *(f"val_pred_{t}_{kind}" for t in targets for kind in (*kinds, "result.txt")),
        *(f"tst_pred_{t}_{kind}" for t in targets for kind in kinds[1:]),
    }
    raw = json.loads((out / "val_pred_valence_nosmooth_ori.json").read_text())
    assert raw["v1"] == {
        "video_id": "v1",
        "pred": list(val[0].values["valence"]),
        "label": list(val[0].reference_values["valence"]),
    }
    assert (
        min(raw["v1"]["pred"])
        < -1
        <= min(json.loads((out / "val_pred_valence_nosmooth.json").read_text())["v1"]["pred"])
    )
    test = json.loads((out / "tst_pred_arousal_smooth.json").read_text())
    assert set(test["t"]) == {"video_id", "pred"}
    np.testing.assert_allclose(test["t"]["pred"], [-0.5, -1, -1])
    facts = dict(
        line.split(": ") for line in (out / "val_pred_valence_result.txt").read_text().splitlines()
    )
    smoothed = rows_of(read_predictions(out / "val_smooth.jsonl"))
    assert float(facts["smoothed_ccc"]) == pytest.approx(concordance(smoothed, "valence"))
    assert float(facts["nosmooth_ori_ccc"]) == pytest.approx(concordance(val, "valence"))
    assert facts["window"] == "50"

    run("ensemble", out / "tst_smooth.jsonl", tmp_path / "tst.jsonl", "--out", tmp_path / "e.jsonl")
    run("submit", tmp_path / "e.jsonl", "--out", tmp_path / "submit" / "one")
    run("submit", out / "tst_smooth.jsonl", "--out", tmp_path / "official", "--abaw")
    column = (tmp_path / "submit" / "one" / "arousal" / "t.txt").read_text().splitlines()
    assert column == ["arousal", "-0.300000", "-0.950000", "-1.000000"]
    official = (tmp_path / "official" / "t.txt").read_text().splitlines()
    # Valence over all three frames, arousal over two, three and two.
    assert official == ["valence,arousal", "1.000000,-0.500000", *["1.000000,-1.000000"] * 2]


def test_searching_takes_the_windows_from_validation(tmp_path: Path) -> None:
    stored(tmp_path, "val.jsonl", [noisy(1), noisy(2)])
    told = run("smooth", "--val", tmp_path / "val.jsonl", "--out", tmp_path / "out", "--search")
    assert "flatters" in told
    settings = read_predictions(tmp_path / "out" / "val_smooth.jsonl").header.settings
    assert int(settings["window.valence"]) == choose_window([noisy(1), noisy(2)], "valence")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["smooth", "--out", "o"], "--val, --test"),
        (["smooth", "--out", "o", "--test", "{tst}", "--search"], "give --val"),
        (["smooth", "--out", "o", "--test", "{tst}", "--window", "valence:3"], "NAME=W"),
        (["ensemble", "{tst}", "--out", "o"], "two predictions files"),
        (["draw", "{tst}", "--video", "u", "--out", "o"], "tst.jsonl: has no id 'u'"),
        (["draw", *["{tst}"] * 6, "--video", "t", "--out", "o"], "6 files in one figure"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, words: list[str], message: str) -> None:
    stored(tmp_path, "tst.jsonl", [video("t", [0.1])])
    with pytest.raises(EmollamaError, match=message):
        CliRunner().invoke(
            frames_app, [w.format(tst=tmp_path / "tst.jsonl") for w in words],
            catch_exceptions=False,
        )  # fmt: skip


def test_an_id_that_is_no_file_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match=r"id '\.\./t': is not a valid file name"):
        write_submission(tmp_path, [video("../t", [0.1])])


def test_a_table_of_systems_before_and_after_smoothing(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 5)):
        (tmp_path / name).mkdir()
        for split, seeds in (("val", (seed, seed + 1)), ("test", (seed + 2, seed + 3))):
            # The same videos in both, whose truth is of the name.
            rows = [
                noisy(s).model_copy(
                    update={"id": f"{split}{i}", "reference_values": noisy(i).reference_values}
                )
                for i, s in enumerate(seeds)
            ]
            stored(tmp_path / name, f"{split}.jsonl", rows)
    folders = [tmp_path / "one", tmp_path / "two"]
    windows = {"valence": 3, "arousal": 3}
    made = frame_table(folders, windows, against=folders[0], resamples=100)
    assert [row[:2] for row in made.rows] == [
        (target, name) for target in ("valence", "arousal") for name in ("one", "two")
    ]
    rows = rows_of(read_predictions(folders[1] / "test.jsonl"))
    plain, smoothed = (concordance(with_windows(rows, {"valence": w}), "valence") for w in (0, 3))
    (two,) = (row for row in made.rows if row[:2] == ("valence", "two"))
    assert two[4].startswith(f"{plain:.3f} [") and two[5].startswith(f"{smoothed:.3f} [")
    assert two[6].startswith(f"{smoothed - plain:+.3f} [")
    validation = rows_of(read_predictions(folders[1] / "val.jsonl"))
    assert two[7].startswith(f"{choose_window(validation, 'valence')}: ")
    base = rows_of(read_predictions(folders[0] / "test.jsonl"))
    gain = plain - concordance(with_windows(base, {"valence": 0}), "valence")
    assert two[8].startswith(f"{gain:+.3f} [") and made.rows[0][8] == "–"
    with pytest.raises(EmollamaError, match="no window for arousal"):
        frame_table(folders, {"valence": 3})
    told = run("table", *folders, "--bootstrap", 100, "--out", tmp_path / "table.md")
    assert "valence" in told and "| valence | two |" in (tmp_path / "table.md").read_text()


def test_a_picture_shows_the_truth_and_each_files_answer(tmp_path: Path) -> None:
    truth = [0.2, 0.4]
    row = video("x", [0.1, 0.3], truth).model_copy(update={"times": (0.02, 0.06)})
    one = stored(tmp_path, "a.jsonl", [row])
    two = stored(tmp_path, "b.jsonl", [video("x", [0.5, 0.7], truth)])
    upper, lower = frames_figure([one, two], "x").axes
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in upper.lines]
    assert drawn == [([0.02, 0.06], truth), ([0.02, 0.06], [0.1, 0.3]), ([0, 1], [0.5, 0.7])]
    assert [list(line.get_ydata())[1] for line in lower.lines] == [-0.4, -0.3, -0.7]
    told = [t.get_text() for t in upper.get_legend().get_texts()]
    assert told == ["truth", f"{tmp_path.name}/a", f"{tmp_path.name}/b"]
    run("draw", tmp_path / "a.jsonl", "--video", "x", "--out", tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_the_committed_table_comes_from_the_committed_answers() -> None:
    folder = Path(__file__).parents[2] / "results" / "fusion" / "probe-va"
    page = (folder / "table.md").read_text()
    order = list(dict.fromkeys(row.split(" | ")[1] for row in page.splitlines()[4:16]))
    assert set(order) == {p.name for p in folder.iterdir() if p.is_dir()}
    made = frame_table([folder / name for name in order], WINDOWS, folder / "ridge", by="group")
    assert table_markdown(made) in page

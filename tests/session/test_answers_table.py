"""`emollama predict --out`: files, folders and manifests to one table, resumed where it stopped."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emollama.base.errors import EmollamaError
from emollama.cli.app import app
from emollama.manifest.labels import get_label_set, label_set
from emollama.manifest.sample import Sample, Targets, write_manifest
from emollama.session.observing import Observer
from tests.session.made import tiny_artefact
from tests.session.people_made import fusion_of_people, people_clips

QUIET = ("--no-explain", "--no-transcribe")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fusion_of_people(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return people_clips(tmp_path_factory.mktemp("voices"))["low"]


@pytest.fixture
def folder(tmp_path: Path, voices: list[Path]) -> Path:
    """Two clips and one that cannot be read, in a folder and one below it."""
    clips = tmp_path / "clips"
    (clips / "more").mkdir(parents=True)
    shutil.copy(voices[0], clips / "a.wav")
    shutil.copy(voices[1], clips / "more" / "b.wav")
    (clips / "bad.mp4").write_text("no film")
    return clips


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are decoded from now on."""
    names: list[str] = []
    watch = Observer.watch

    def counted(self: Observer, video: Path, *more: Any, **named: Any) -> Any:
        names.append(video.name)
        return watch(self, video, *more, **named)

    monkeypatch.setattr(Observer, "watch", counted)
    return names


def predict(*words: Any) -> str:
    """What is said; the line of an error at its end."""
    result = CliRunner().invoke(app, ["predict", *map(str, words)])
    if isinstance(result.exception, EmollamaError):
        return f"{result.output}error: {result.exception}"
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def rows_of(table: Path) -> list[dict[str, Any]]:
    text = table.read_text(encoding="utf-8-sig")
    if table.suffix == ".csv":
        return list(csv.DictReader(text.splitlines()))
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_folder_becomes_a_table_and_bad_clips_are_counted(
    model: Path, folder: Path, tmp_path: Path, watched: list[str], suffix: str
) -> None:
    table = tmp_path / f"table{suffix}"
    ask = (folder, "--out", table, "--model", model, *QUIET)
    said = predict(*ask)
    assert "2 of 3 clips answered" in said
    assert f"error: 1 of 3 clips could not be answered; column 'error' of {table}" in said
    first = rows_of(table)
    assert [Path(row["clip"]).name for row in first] == ["a.wav", "bad.mp4", "b.wav"]
    assert "is not a readable media file" in first[1]["error"] and not first[1].get("label")
    if suffix == ".csv":
        scores = [float(value) for name, value in first[0].items() if name.startswith("p(")]
        assert sum(scores) == pytest.approx(1, abs=1e-4)
        assert float(first[0]["probability"]) == max(scores)
    else:
        assert first[0]["scores"][first[0]["label"]] == max(first[0]["scores"].values())

    # Killed in the second row: what was answered is kept, the rest and the bad one are asked.
    lines = table.read_bytes().splitlines(keepends=True)
    head = lines[: 1 + (suffix == ".csv")]
    table.write_bytes(b"".join(head) + lines[-1][:20])
    watched.clear()
    assert "2 of 3 clips answered, 1 of them before" in predict(*ask)
    assert sorted(watched) == ["b.wav", "bad.mp4"]
    again = rows_of(table)
    assert [row["clip"] for row in again] == [row["clip"] for row in first]
    assert [row.get("label") for row in again] == [row.get("label") for row in first]


def test_a_changed_clip_is_asked_again_and_other_options_are_refused(
    model: Path, folder: Path, tmp_path: Path, voices: list[Path], watched: list[str]
) -> None:
    table = tmp_path / "t.csv"
    (folder / "bad.mp4").unlink()
    predict(folder, "--out", table, "--model", model, *QUIET)
    shutil.copy(voices[2], folder / "a.wav")
    watched.clear()
    predict(folder, "--out", table, "--model", model, *QUIET)
    assert watched == ["a.wav"] and len(rows_of(table)) == 2
    said = predict(folder, "--out", table, "--model", model, "--no-explain")
    assert "holds answers of another model or with other options; remove it" in said
    table.write_text("name,score\nx,1\n")
    said = predict(folder, "--out", table, "--model", model, *QUIET)
    assert "exists and is not a table of these answers" in said
    assert table.read_text() == "name,score\nx,1\n"


def test_a_manifest_gives_spans_words_and_ids(
    tmp_path: Path, voices: list[Path], watched: list[str]
) -> None:
    model = tiny_artefact(tmp_path / "llm")
    manifest = tmp_path / "m.jsonl"
    write_manifest(manifest, "made", get_label_set("mer2023"), [
        Sample(id="one", audio=str(voices[0]), start=0.2, end=1.0, text="Oh, you came!"),
        Sample(id="words", text="Go away."),
        Sample(id="nothing"),
    ])  # fmt: skip
    table = tmp_path / "t.jsonl"
    said = predict(manifest, "--out", table, "--model", model, *QUIET)
    one, words, nothing = rows_of(table)
    assert (one["clip"], one["start"], one["text"]) == ("one", 0.2, "Oh, you came!")
    assert (words["text"], words["channels"]) == ("Go away.", ["words"])
    assert nothing["error"] == "nothing: names no file and no text"
    assert "2 of 3 clips answered" in said and watched == [voices[0].name]
    printed = predict(manifest, "--model", model, "--json", *QUIET)
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [line["clip"] for line in lines] == ["one", "words"]


def test_a_table_gives_each_clip_its_words(folder: Path, tmp_path: Path) -> None:
    model, texts, table = (
        tiny_artefact(tmp_path / "llm"),
        tmp_path / "said.csv",
        tmp_path / "t.jsonl",
    )
    (folder / "bad.mp4").unlink()
    texts.write_text("Datei;Text\nclips/a.wav;Ach, du kommst doch\n")
    ask = (folder, "--texts", texts, "--model", model, *QUIET)
    said = predict(*ask, "--out", table)
    assert "note: 1 of 2 clips have no text in" in said and "b.wav" in said
    assert [row["text"] for row in rows_of(table)] == ["Ach, du kommst doch", None]
    # By the file's name, from a table in another format; what is named otherwise is told.
    texts.write_text("file,text\na.wav,One.\nb,Two.\nc.wav,Three.\n")
    said = predict(*ask, "--out", table)
    assert "note: 1 rows of" in said and "'c.wav'" in said
    assert [row["text"] for row in rows_of(table)] == ["One.", "Two."]
    for rows, message in (
        ("a,One.\na.wav,Two.\n", r"said\.csv:3: 'a\.wav' has another text at .*said\.csv:2"),
        ("c,One.\n", r"said\.csv: gives none of the 2 clips a text, e\.g\. '.*a\.wav'"),
    ):
        texts.write_text(f"file,text\n{rows}")
        assert re.search(message, predict(*ask))
    shutil.copy(folder / "a.wav", folder / "more")
    texts.write_text("file,text\na.wav,One.\n")
    assert re.search(r"'a\.wav' names 2 of the clips, .*; write more of the path", predict(*ask))


def test_answers_are_scored_against_the_manifest_that_was_asked(
    model: Path, tmp_path: Path, voices: list[Path]
) -> None:
    manifest, printed = tmp_path / "m.jsonl", tmp_path / "printed.jsonl"
    truths = ("happy", "sad", "sad", "calm", "happy")
    write_manifest(manifest, "made", label_set("own", "calm", "sad", "happy"), [
        Sample(id=f"s{i}", audio=str(voices[i] if i < 4 else tmp_path / "no.wav"),
               targets=Targets(emotion=truth))
        for i, truth in enumerate(truths)
    ])  # fmt: skip
    ask = ("--model", model, *QUIET)
    tables = [tmp_path / "t.csv", tmp_path / "t.jsonl", printed]
    for table in tables[:2]:
        predict(manifest, "--out", table, *ask)
    said = predict(manifest, "--json", *ask).splitlines()
    printed.write_text("\n".join(line for line in said if line.startswith("{")))
    rows = list(zip(truths, rows_of(tables[1]), strict=True))
    right = sum(row.get("label") == truth for truth, row in rows if truth != "calm")
    for table in tables:
        call = ["score", str(table), "--manifest", str(manifest), "--metric", "accuracy"]
        result = CliRunner().invoke(app, [*call, "--format", "json", "--bootstrap", "100"])
        assert result.exit_code == 0, result.exception
        assert "read as the output of predict" in result.stderr
        assert "label the model does not know are left out: calm 1\n" in result.stderr
        (accuracy,) = json.loads(result.stdout)["results"]
        # The clip that is not there is a failure.
        assert (accuracy["value"], accuracy["n_total"]) == (right / 4, 4)
        assert sum(accuracy["failures"].values()) == 1


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_merged_shards_are_the_bytes_of_one_table(
    model: Path, folder: Path, tmp_path: Path, watched: list[str], suffix: str
) -> None:
    one, table = tmp_path / f"one{suffix}", tmp_path / f"t{suffix}"
    said = predict(folder, "--out", one, "--model", model, *QUIET).replace(str(one), str(table))
    ask = (folder, "--out", table, "--model", model, *QUIET)
    assert "lacks 3 clips" in (none := predict(*ask, "--merge")) and "no shard has been run" in none
    # The third clip is the first of shard 2; the shard with the bad one ends well.
    assert "shard 1/3 is done: 0 of 1 clips answered" in predict(*ask, "--shard", "1/3")
    assert "shard 0/3 is done: 1 of 1 clips answered" in predict(*ask, "--shard", "0/3")
    line = predict(*ask, "--merge").splitlines()[-1]
    assert re.search(r"lacks 1 clips, e\.g\. '.*b\.wav'; run --shard 2/3 to its end$", line)
    part = tmp_path / f"t{suffix}.shards" / f"2-of-3{suffix}"
    predict(*ask, "--shard", "2/3")
    whole = part.read_bytes()
    part.write_bytes(whole[:-20])  # as a kill leaves it
    watched.clear()
    predict(*ask, "--shard", "2/3")
    assert watched == ["b.wav"] and part.read_bytes() == whole
    watched.clear()
    assert predict(*ask, "--merge").splitlines()[-2:] == said.splitlines()[-2:] and not watched
    assert table.read_bytes() == one.read_bytes() and not part.parent.exists()
    # Once more, as when its job is repeated: nothing is lacking and nothing changes.
    assert predict(*ask, "--merge").splitlines()[-2:] == said.splitlines()[-2:]
    assert table.read_bytes() == one.read_bytes()


def test_mistakes_are_one_line(model: Path, folder: Path, tmp_path: Path) -> None:
    table, manifest, empty = tmp_path / "t.csv", tmp_path / "m.jsonl", tmp_path / "empty"
    table.write_text("path,label\n")
    (wide := tmp_path / "wide.csv").write_text("文件名\n", "utf-16")
    empty.mkdir()
    write_manifest(manifest, "made", get_label_set("mer2023"), [Sample(id="a", text="a")])
    for words, message in (
        (
            (table,),
            rf"t\.csv: is a table; make a manifest of it with `emollama prepare csv {table}",
        ),
        ((empty,), "empty: holds no video, sound or picture"),
        ((manifest, "--start", 1), "is a manifest, whose samples have their own spans"),
        ((folder, "--out", tmp_path / "t.xlsx"), r"must be a file that ends in \.csv or \.jsonl"),
        ((tmp_path / "no.mp4",), r"no\.mp4: does not exist"),
        ((manifest, "--out", manifest), r"m\.jsonl: is what is asked about; give the table"),
        (
            (folder, "--text", "Oh!"),
            r"--text is what is said in one clip, and 3 are asked about; give",
        ),
        ((folder, "--text", "Oh!", "--texts", table), r"give --text for one clip or --texts"),
        ((folder, "--texts", table), r"t\.csv: holds only a header"),
        (("https://a.org/b.mp4",), r"https://a\.org/b\.mp4: is a URL, which is not fetched; downl"),
        ((folder, "--shard", "0/2"), r"--shard is for a table: give --out"),
        ((folder, "--out", tmp_path / "u.csv", "--shard", "5/4"), r"--shard 5/4: must be i/n with"),
        ((folder, "--out", tmp_path / "u.csv", "--shard", "0/2", "--merge"), r"give one of them"),
        ((folder, "--out", wide), r"is not UTF-8 text .*; remove it or give another --out"),
    ):
        said = predict(*words, "--model", model)
        assert re.search(message, said) and len(said.splitlines()) == 1

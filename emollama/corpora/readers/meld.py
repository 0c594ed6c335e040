"""MELD (Poria et al. 2019): dialogues of a television series, seven emotions, official splits.

Utterances are numbered separately in each split, so an id is `<train|dev|test>_dia<D>_utt<U>`.
Speakers are on both sides of the official split; the group, which other splits keep whole, is the
dialogue.
"""

from __future__ import annotations

from pathlib import Path

from emollama.base.csv_rows import read_rows, without_c1
from emollama.base.errors import EmollamaError
from emollama.corpora.collection import (
    Collection,
    Expected,
    files_by_stem,
    first_that_exists,
    require_root,
)
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import LONGEST_CONTEXT, Sample, Targets

COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")
SENTIMENTS = ("positive", "neutral", "negative")
FOLDERS = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
EXPECTED: Expected = {
    "train": {"neutral": 4710, "joy": 1743, "surprise": 1205, "anger": 1109, "sadness": 683,
              "disgust": 271, "fear": 268},
    "val": {"neutral": 470, "joy": 163, "anger": 153, "surprise": 150, "sadness": 111, "fear": 40,
            "disgust": 22},
    "test": {"neutral": 1256, "joy": 402, "anger": 345, "surprise": 281, "sadness": 208,
             "disgust": 68, "fear": 50},
}  # fmt: skip
KNOWN_BAD = {
    "train_dia125_utt3": "the video cannot be read",
    "dev_dia110_utt7": "the video is missing from the release",
    "train_dia309_utt0": "the video does not fit the utterance (far too long or another moment)",
    "test_dia38_utt4": "the video does not fit the utterance (far too long or another moment)",
    "test_dia220_utt0": "the video does not fit the utterance (far too long or another moment)",
}


def prepare_meld(
    root: Path, out: Path, *, strict: bool = False, keep_bad: bool = False
) -> PrepareReport:
    """Write a manifest of MELD; the official dev split is called "val".

    If a split's folder of clips is missing, its samples have words only. Earlier turns of the
    dialogue are the sample's `context`, including utterances without a usable clip. Season, episode
    and the sentiment's name are in `truth`.

    Args:
        root: folder with `<split>_sent_emo.csv` and the clips, as `MELD.Raw` unpacks; the CSV of a
            split may be in a folder of its name, the clips in `<split>/<clips>`.
        out: the manifest.
        strict: counts other than the published ones are an error.
        keep_bad: keep clips that are known to be broken.

    Raises:
        EmollamaError: no CSV, a missing column, an unknown label, a duplicate id, or no usable
            sample.
    """
    require_root(root, "MELD", "train_sent_emo.csv, train/train_splits/dia0_utt0.mp4, ...")
    # Words are whole where a video is broken: without clips nothing is bad.
    collection = Collection("meld", out, get_label_set("meld"), KNOWN_BAD, keep_bad)
    tables = 0
    for part, folder in FOLDERS.items():
        table = first_that_exists(
            root, f"{part}_sent_emo.csv", f"{part}/{part}_sent_emo.csv",
            f"MELD.Raw/{part}_sent_emo.csv", f"MELD.Raw/{part}/{part}_sent_emo.csv",
        )  # fmt: skip
        if table is None:
            collection.notes.append(f"no {part}_sent_emo.csv: the split is left out")
            continue
        tables += 1
        clips = first_that_exists(
            root, folder, f"{part}/{folder}", f"MELD.Raw/{folder}", f"MELD.Raw/{part}/{folder}",
            f"{part}_splits", f"{part}/{part}_splits",
        )  # fmt: skip
        _split(collection, table, clips, part)
    if not tables:
        raise EmollamaError(
            f"{root}: has no train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv"
        )
    return collection.finish(EXPECTED, strict)


def _split(collection: Collection, table: Path, clips: Path | None, part: str) -> None:
    split = "val" if part == "dev" else part
    files = files_by_stem(clips, (".mp4",)) if clips else {}
    with_media = collection.note_unless_any(files, split, f"CLIPS ({FOLDERS[part]}/*.mp4)")
    used: set[str] = set()
    mended = 0
    said: dict[int, dict[int, str]] = {}
    places: list[tuple[int, int]] = []
    first = len(collection.samples)
    for row in read_rows(table, COLUMNS, ("Season", "Episode")):
        dialogue, utterance = (_index(row.require(c), row.where) for c in COLUMNS[-2:])
        clip = f"dia{dialogue}_utt{utterance}"
        name = f"{part}_{clip}"
        native = row.require("Emotion")
        emotion = collection.labels.require(native, f"{row.where}: column 'Emotion'")
        sentiment = row.require("Sentiment").lower()
        if sentiment not in SENTIMENTS:
            raise EmollamaError(
                f"{row.where}: column 'Sentiment': '{sentiment}' is not {', '.join(SENTIMENTS)}"
            )
        collection.count(name, split, emotion, row.where)
        used.add(clip)
        text, speaker = (without_c1(row.get(c) or "") for c in ("Utterance", "Speaker"))
        if text:
            said.setdefault(dialogue, {})[utterance] = f"{speaker}: {text}" if speaker else text
        if with_media and not collection.usable(name, split, files.get(clip)):
            continue
        places.append((dialogue, utterance))
        mended += text != (row.get("Utterance") or "")
        told = {"season": row.get("Season"), "episode": row.get("Episode")}
        collection.samples.append(
            Sample(
                id=name,
                video=collection.path(files.get(clip)),
                text=text or None,
                speaker=speaker or None,
                group=f"{part}_dia{dialogue}",
                split=split,
                targets=Targets(emotion=emotion, native=native),
                truth={"sentiment": sentiment, **{k: v for k, v in told.items() if v}},
            )
        )
    for index, (dialogue, utterance) in enumerate(places, start=first):
        before = [words for at, words in sorted(said.get(dialogue, {}).items()) if at < utterance]
        context = {"context": tuple(before[-LONGEST_CONTEXT:])}
        collection.samples[index] = collection.samples[index].model_copy(update=context)
    if mended:
        collection.notes.append(
            f"{table.name}: {mended} texts with mis-encoded characters corrected"
        )
    for clip in sorted(files.keys() - used):
        collection.rejected[f"{part}: {files[clip].name}"] = "a clip without an annotation"


def _index(cell: str, where: str) -> int:
    if not cell.isdecimal():
        raise EmollamaError(f"{where}: '{cell}' is not a number of a dialogue or utterance")
    return int(cell)

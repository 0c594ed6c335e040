"""MELD (Poria et al. 2019): dialogues of a television series, seven emotions, official splits.

Utterances are numbered separately in each split, so an id is `<train|dev|test>_dia<D>_utt<U>`.
Speakers are on both sides of the official split; the group, which other splits keep whole, is the
dialogue.

MELD_Dyadic has a selection of the same utterances in dialogues of two: an utterance occurs in
several of them, so ids are `<train|dev|test>_dya<D>_utt<U>`. Counts and columns of both are those
of declare-lab/MELD, read whole.
"""

from __future__ import annotations

from pathlib import Path

from emollama.base.csv_rows import without_c1
from emollama.base.errors import EmollamaError
from emollama.corpora.collection import (
    Collection,
    Expected,
    first_that_exists,
    require_root,
)
from emollama.corpora.media_files import MediaFiles, media_below
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import LONGEST_CONTEXT, Sample, Targets

PAPERS_TEST = 2610
"""Test utterances that papers score: all of the csv, whatever its clip shows."""

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
DYADIC: Expected = {
    "train": {"neutral": 5960, "joy": 2312, "anger": 1500, "surprise": 1490, "sadness": 876,
              "disgust": 364, "fear": 338},
    "val": {"neutral": 600, "joy": 214, "surprise": 210, "anger": 208, "sadness": 145, "fear": 54,
            "disgust": 31},
    "test": {"neutral": 1615, "anger": 516, "joy": 495, "surprise": 352, "sadness": 263,
             "disgust": 99, "fear": 60},
}  # fmt: skip
KNOWN_BAD = {
    "train_dia125_utt3": "the video cannot be read",
    "dev_dia110_utt7": "the video is missing from the release",
    "train_dia309_utt0": "the video does not fit the utterance (far too long or another moment)",
    "test_dia38_utt4": "the video does not fit the utterance (far too long or another moment)",
    "test_dia220_utt0": "the video does not fit the utterance (far too long or another moment)",
}


def prepare_meld(
    root: Path, out: Path, *, dyadic: bool = False, strict: bool = False, keep_bad: bool = False
) -> PrepareReport:
    """Write a manifest of MELD; the official dev split is called "val".

    If a split's folder of clips is missing, its samples have words only. Earlier turns of the
    dialogue are the sample's `context`, including utterances without a usable clip. Season, episode
    and the sentiment's name are in `truth`.

    Args:
        root: folder with `<split>_sent_emo.csv` and the clips, as `MELD.Raw` unpacks; the CSV of a
            split may be in a folder of its name, the clips in `<split>/<clips>`.
        out: the manifest.
        dyadic: read MELD_Dyadic, `<split>_sent_emo_dya.csv`, whose clips are MELD's.
        strict: counts other than the published ones are an error.
        keep_bad: keep clips that are known to be broken.

    Raises:
        EmollamaError: no CSV, a missing column, many odd rows (an unknown label, a duplicate id),
            or no usable sample of a split.
    """
    require_root(root, "MELD", "train_sent_emo.csv, train/train_splits/dia0_utt0.mp4, ...")
    # Words are whole where a video is broken: without clips nothing is bad.
    name, end = ("meld-dyadic", "_sent_emo_dya.csv") if dyadic else ("meld", "_sent_emo.csv")
    collection = Collection(name, out, get_label_set("meld"), {} if keep_bad else KNOWN_BAD)
    tables = 0
    for part, folder in FOLDERS.items():
        table = first_that_exists(
            root, f"{part}{end}", f"{part}/{part}{end}", f"MELD.Raw/{part}{end}",
            f"MELD.Raw/{part}/{part}{end}", f"MELD_Dyadic/{part}{end}",
            f"data/MELD_Dyadic/{part}{end}", f"data/MELD/{part}{end}",
        )  # fmt: skip
        if table is None:
            collection.notes.append(f"no {part}{end}: the split is left out")
            continue
        tables += 1
        clips = first_that_exists(
            root, folder, f"{part}/{folder}", f"MELD.Raw/{folder}", f"MELD.Raw/{part}/{folder}",
            f"{part}_splits", f"{part}/{part}_splits",
        )  # fmt: skip
        _split(collection, table, clips, part, dyadic)
    if not tables:
        raise EmollamaError(f"{root}: has no train{end}, dev{end} or test{end}")
    tested = sum(s.split == "test" for s in collection.samples)
    if not dyadic and tested:
        collection.notes.append(_of_papers(tested))
    return collection.finish(DYADIC if dyadic else EXPECTED, strict)


def _of_papers(tested: int) -> str:
    """Whether a score on the test split can be compared with papers', and how to get there."""
    if tested == PAPERS_TEST:
        return f"{tested} test utterances, as papers score"
    return (
        f"{tested} test utterances, but papers score {PAPERS_TEST}: --keep-bad keeps the two whose "
        "clip shows another moment; without folders of clips all have their words"
    )


def _split(
    collection: Collection, table: Path, clips: Path | None, part: str, dyadic: bool
) -> None:
    split = "val" if part == "dev" else part
    files = media_below(clips) if clips else MediaFiles(table.parent)
    with_media = collection.note_unless_any(files, split, f"CLIPS ({FOLDERS[part]}/*.mp4)")
    used: set[Path | None] = set()
    mended = 0
    said: dict[int, dict[int, str]] = {}
    places: list[tuple[int, int]] = []
    first = len(collection.samples)
    kind = "dya" if dyadic else "dia"
    old = tuple(f"Old_{column}" for column in COLUMNS[-2:])
    columns = (*COLUMNS, *old) if dyadic else COLUMNS
    for row in collection.table(table, columns, ("Season", "Episode")):
        with collection.row(row.where):
            dialogue, utterance = (_index(row.require(c), row.where) for c in COLUMNS[-2:])
            shown = [_index(row.require(c), row.where) for c in (old if dyadic else COLUMNS[-2:])]
            clip = f"dia{shown[0]}_utt{shown[1]}"
            name = f"{part}_{kind}{dialogue}_utt{utterance}"
            native = row.require("Emotion")
            emotion = collection.labels.require(native, f"{row.where}: column 'Emotion'")
            sentiment = row.require("Sentiment").lower()
            if sentiment not in SENTIMENTS:
                raise EmollamaError(
                    f"{row.where}: column 'Sentiment': '{sentiment}' is not {', '.join(SENTIMENTS)}"
                )
            collection.count(name, split, emotion, row.where)
            file = files.get(clip)
            used.add(file)
            text, speaker = (without_c1(row.get(c) or "") for c in ("Utterance", "Speaker"))
            if text:
                said.setdefault(dialogue, {})[utterance] = f"{speaker}: {text}" if speaker else text
            if with_media and f"{part}_{clip}" in collection.bad:
                why = collection.bad[f"{part}_{clip}"]
                collection.rejected[name] = f"known to be broken: {why}"
                continue
            if with_media and not collection.usable(name, split, file):
                continue
            places.append((dialogue, utterance))
            mended += text != (row.get("Utterance") or "")
            told = {"season": row.get("Season"), "episode": row.get("Episode")}
            collection.samples.append(
                Sample(
                    id=name,
                    video=collection.path(file),
                    text=text or None,
                    speaker=speaker or None,
                    group=f"{part}_{kind}{dialogue}",
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
    for unused in sorted(set(files.paths()) - used) if not dyadic else ():
        collection.rejected[f"{part}: {unused.name}"] = "a clip without an annotation"


def _index(cell: str, where: str) -> int:
    if not cell.isdecimal():
        raise EmollamaError(f"{where}: '{cell}' is not a number of a dialogue or utterance")
    return int(cell)

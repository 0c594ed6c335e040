"""CH-SIMS (Yu et al. 2020) and CH-SIMS v2 (Liu et al. 2022): Chinese films, sentiment by channel.

Sentiment is a number from -1 to 1, of the whole clip and of words, voice and face alone. The first
version has 2,281 clips, the second 4,403 with labels (`CH-SIMS v2(s)`) and 10,161 without
(`CH-SIMS v2(u)`). Splits and labels of both are those of zeroQiaoba/MERTools, MERBench/dataset/
sims-process and simsv2-process, read whole. *Unverified*: the table itself, of which only columns
and first rows are public; labels of single channels; the number of clips without labels.
"""

from __future__ import annotations

import re
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.corpora.collection import Collection, Expected, first_that_exists, require_root
from emollama.corpora.media_files import media_below
from emollama.corpora.readers.opinions.mmsa_table import Labelled, labelled, rows_of
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets

REACH = 1.0
EXPECTED: dict[int, Expected] = {
    1: {"train": 1368, "val": 456, "test": 457},
    2: {"train": 2722, "val": 647, "test": 1034},
}
UNLABELLED = 10161
"""Clips of the second version without labels."""
_TABLES = {
    1: ("label.csv", "CH-SIMS/label.csv", "SIMS/label.csv"),
    2: ("meta.csv", "CH-SIMS v2(s)/meta.csv", "label.csv"),
}


def prepare_ch_sims(
    root: Path, out: Path, *, version: int = 1, strict: bool = False
) -> PrepareReport:
    """Write a manifest of CH-SIMS in its official splits; the group of a sample is its video.

    `targets.sentiment` is from -1 to 1, `targets.emotion` its sign in words; `truth` has the
    sentiment of words, voice and face alone. Ids are `<video>_<clip>`, with the zeros of the file.
    Clips without labels (the folder `CH-SIMS v2(u)`) have no split and no targets.

    Args:
        root: folder with `label.csv` (version 1) or `meta.csv` (version 2), and clips below `Raw`.
        out: the manifest.
        version: 1 or 2.
        strict: counts other than the published ones, or a missing clip, are errors.

    Raises:
        EmollamaError: no such version or table, a missing column, many odd rows (a sentiment
            outside -1 to 1, an unknown mode, a duplicate id), or no usable sample of a split.
    """
    if version not in EXPECTED:
        raise EmollamaError(f"CH-SIMS has no version {version}; there are 1 and 2")
    require_root(root, "CH-SIMS", "label.csv or meta.csv, Raw/<video_id>/<clip_id>.mp4")
    table = first_that_exists(root, *_TABLES[version])
    if table is None:
        raise EmollamaError(f"{root}: has none of {', '.join(_TABLES[version])}")
    name = "ch-sims" if version == 1 else "ch-sims-v2"
    collection = Collection(name, out, get_label_set("ch-sims"))
    files = media_below(table.parent / "Raw")
    labelled_any = False
    with_media = collection.note_unless_any(files, "all", "CLIPS (Raw/<video_id>/<clip_id>.mp4)")
    for row in rows_of(collection, table):
        with collection.row(row.where):
            clip = labelled(row, REACH)
            labelled_any |= clip.sentiment is not None
            file = files.get(f"{clip.video}/{clip.clip}")
            stem = file.stem if file else _with_zeros(clip, version)
            sample, split = f"{clip.video}_{stem}", clip.split or "(none)"
            emotion = None
            if clip.annotation is not None:
                emotion = collection.labels.require(
                    clip.annotation, f"{row.where}: column 'annotation'"
                )
            collection.count(sample, split, emotion or "", row.where)
            if with_media and not collection.usable(sample, split, file):
                continue
            collection.samples.append(
                Sample(
                    id=sample,
                    video=collection.path(file),
                    text=clip.text,
                    group=clip.video,
                    split=clip.split,
                    targets=Targets(
                        emotion=emotion, native=clip.annotation, sentiment=clip.sentiment
                    ),
                    truth=dict(clip.channels),
                )
            )
    expected = EXPECTED[version] if labelled_any else {"(none)": UNLABELLED}
    return collection.finish(expected, strict)


def _with_zeros(clip: Labelled, version: int) -> str:
    """A clip's name with the zeros that it is released with: four digits, five in new videos."""
    old = version == 1 or re.fullmatch(r"video_\d+", clip.video)
    return clip.clip.zfill(4 if old else 5) if clip.clip.isdecimal() else clip.clip

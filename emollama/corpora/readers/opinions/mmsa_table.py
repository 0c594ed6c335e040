"""The table of labels that MMSA (thuiar) gives out with MOSI, MOSEI and both CH-SIMS.

`label.csv`, or `meta.csv` in CH-SIMS v2, has a row for each `Raw/<video_id>/<clip_id>.mp4`. A copy
of CH-SIMS has no header line. `label_T`, `label_A` and `label_V` are those of words, voice and face
alone; MOSI and MOSEI leave them empty. The columns were read from public reports on the files (see
the tests); the labels, from the lists that MERBench made of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emollama.base.csv_rows import Row
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.corpora.collection import Collection
from emollama.corpora.readers.nce_list import flat

COLUMNS = (
    "video_id", "clip_id", "text", "label", "label_T", "label_A", "label_V", "annotation", "mode",
)  # fmt: skip
MODES = {"train": "train", "valid": "val", "validation": "val", "val": "val", "test": "test"}
CHANNELS = {"label_T": "words", "label_A": "voice", "label_V": "face"}


@dataclass(frozen=True)
class Labelled:
    """A row of the table.

    Attributes:
        where: "file:line".
        video, clip: its names, as written.
        text: what is said, on one line.
        sentiment: within the corpus' range; None for a clip without labels.
        channels: sentiment of {"words", "voice", "face"} alone.
        annotation: the sentiment in words, as written.
        split: "train", "val", "test", or None where the table has none.
    """

    where: str
    video: str
    clip: str
    text: str | None
    sentiment: float | None
    channels: dict[str, float]
    annotation: str | None
    split: str | None


def rows_of(collection: Collection, table: Path) -> Iterator[Row]:
    """Rows of the table, each to be passed to `labelled` within `collection.row`."""
    return collection.table(table, COLUMNS[:4], COLUMNS[4:], unnamed=COLUMNS)


def labelled(row: Row, reach: float) -> Labelled:
    """A row as a labelled clip, with sentiments from -`reach` to `reach`.

    Raises:
        EmollamaError: an empty name, a sentiment that is no number or out of range, or an unknown
            mode.
    """
    found = {name: row.number(name) for name in ("label", *CHANNELS)}
    for column, value in found.items():
        if value is not None and not -reach <= value <= reach:
            raise EmollamaError(
                f"{row.where}: column '{column}': sentiment {value:g} is not from {-reach:g} to "
                f"{reach:g}"
            )
    mode = row.get("mode")
    if mode is not None and mode.lower() not in MODES:
        raise EmollamaError(
            f"{row.where}: column 'mode': '{mode}' is not train, valid or test"
            f"{did_you_mean(mode, MODES)}"
        )
    return Labelled(
        row.where,
        row.require("video_id"),
        row.require("clip_id"),
        flat(row.get("text")),
        found["label"],
        {CHANNELS[c]: v for c, v in found.items() if c in CHANNELS and v is not None},
        row.get("annotation"),
        None if mode is None else MODES[mode.lower()],
    )

"""A build: its folder, its settings, and the state shared by its stages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json
from emollama.base.journal import append_row
from emollama.base.processors import processor_count
from emollama.base.progress import Bar, bar
from emollama.merr.settings import Settings
from emollama.merr.stagefile import CLIPS, Row, StageFile, read_rows
from emollama.workers.ranks import Ranks
from emollama.workers.shares import Share

RECORD, LOG, SETTINGS = "record.json", "log.jsonl", "settings.json"
_SHOWN = 3  # ids of a reason in the record


@dataclass(frozen=True)
class Item:
    """A clip in progress: its position among the clips, and its rows by stage."""

    index: int
    id: str
    rows: dict[str, Row]

    def keys(self, *names: str) -> tuple[str, ...]:
        """Keys of rows; for the clip itself, its content and the data supplied with it."""
        return tuple(str(self.rows[name]["key"]) for name in names)


@dataclass
class Build:
    """A folder that stages write to.

    Attributes:
        out: the folder.
        settings: settings of the build.
        source: folder or manifest of the clips; only stage `clips` reads it.
        shard: of the clips that this process handles.
        ranks: processes of torchrun.
        bar: shows progress.
        echo: prints a line for the user.
    """

    out: Path
    settings: Settings
    source: Path | None = None
    shard: Share = field(default_factory=Share)
    ranks: Ranks = field(default_factory=Ranks)
    bar: Bar = bar
    echo: Callable[[str], None] = print

    @property
    def stages(self) -> Path:
        """Folder of the stages' rows."""
        return self.out / "stages"

    @property
    def first(self) -> bool:
        """Whether this process writes shared files."""
        return self.ranks.rank == 0

    @property
    def workers(self) -> int:
        """Measuring processes."""
        return self.settings.workers or processor_count(self.ranks.local)

    def part(self) -> Share:
        """This process's share: from torchrun, or the requested shard."""
        if self.ranks.world > 1:
            return Share(self.ranks.rank, self.ranks.world)
        return self.shard

    def file(self, name: str) -> StageFile:
        """The rows of a stage."""
        return StageFile(self.stages, name, self.part().name)

    def mine(self, index: int) -> bool:
        """Whether this process handles the clip at this position.

        Clips that a local model reads in one batch are never separated.
        """
        refine = self.settings.refine
        return self.part().has(index // (refine.batch if refine.kind == "local" else 1))

    def items(self, *reads: str, optional: tuple[str, ...] = ()) -> Iterator[Item]:
        """Clips that passed all of these stages, in order, one at a time.

        Rows of `optional` stages are added where they exist, whatever their status. A clip's
        position is that in the first stage named.

        Raises:
            EmollamaError: a stage has not been run, or its rows belong to other clips.
        """
        for name in (CLIPS, *reads):
            if not (self.stages / f"{name}.jsonl").is_file():
                raise EmollamaError(
                    f"{self.stages / name}.jsonl: stage '{name}' has not been run in "
                    "this folder; run it, or `emollama annotate build`"
                )
        # A stage has rows for some of the clips, so its rows alone do not tell how to walk
        # through another's: the list of all clips does.
        others = {n: _Cursor(self.stages / f"{n}.jsonl") for n in (*reads, *optional) if n != CLIPS}
        index = -1
        for clip in read_rows(self.stages / f"{CLIPS}.jsonl"):
            rows = {CLIPS: clip}
            for name, cursor in others.items():
                if (found := cursor.of(str(clip["id"]))) is not None:
                    rows[name] = found
            index += reads[0] in rows
            if all(name in rows and rows[name]["status"] == "ok" for name in reads):
                yield Item(index, str(clip["id"]), rows)
        for name, cursor in others.items():
            if not cursor.done:
                raise EmollamaError(
                    f"{self.stages / name}.jsonl: has rows for clips that stage "
                    f"'{CLIPS}' does not list; run stage '{name}' again, or "
                    "`emollama annotate build`"
                )

    def media(self, name: str) -> Path:
        """Path of a media file as written by stage `clips`."""
        path = Path(name)
        return path if path.is_absolute() else self.out / path

    def note(self, stage: str, counts: Counts) -> None:
        """Write a stage's counts to the run record."""
        path = self.out / RECORD
        record = read_json(path) if path.is_file() else {}
        if not isinstance(record, dict):
            raise EmollamaError(f"{path}: is not a valid run record; remove the file")
        record[stage] = counts.to_dict()
        write_json(path, record)

    def log(self, stage: str, seconds: float, **facts: Any) -> None:
        """Append the cost of a stage; times are kept apart from the reproducible record."""
        line = {"stage": stage, "at": time.strftime("%Y-%m-%dT%H:%M:%S"),
                "seconds": round(seconds, 2), **facts}  # fmt: skip
        append_row(self.out / LOG, line)


class _Cursor:
    """Walks through rows in the order of the clips, some of them missing."""

    def __init__(self, path: Path) -> None:
        self._rows = read_rows(path)
        self._next = next(self._rows, None)

    @property
    def done(self) -> bool:
        """Whether every row belonged to a clip."""
        return self._next is None

    def of(self, clip: str) -> Row | None:
        """The row of a clip, if it is the next one."""
        if self._next is None or self._next["id"] != clip:
            return None
        found, self._next = self._next, next(self._rows, None)
        return found


@dataclass
class Counts:
    """Counts of clips into and out of a stage, and reasons for rejections."""

    came: int = 0
    went: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def see(self, clip: str, row: Row) -> None:
        """Count a row."""
        self.came += 1
        if row["status"] == "ok":
            self.went += 1
            return
        reason = str(row.get("reason", row["status"]))
        self.reasons[reason] += 1
        some = self.examples.setdefault(reason, [])
        if len(some) < _SHOWN:
            detail = str(row.get("detail", ""))[:160]
            some.append(f"{clip}: {detail}" if detail else clip)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the record, a deterministic function of the rows."""
        return {
            "in": self.came, "out": self.went,
            "rejected": dict(sorted(self.reasons.items())),
            "examples": dict(sorted(self.examples.items())), **self.facts,
        }  # fmt: skip

    def line(self, stage: str) -> str:
        """One readable line."""
        lost = ", ".join(f"{n} {reason}" for reason, n in self.reasons.most_common())
        return f"{stage}: {self.came} in, {self.went} out" + (f" ({lost})" if lost else "")

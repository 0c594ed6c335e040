"""The expensive part of an evaluation: distributed over processes, stored as it goes, resumable.

An evaluation asks about every sample in one or more passes (labels from voice and words, labels
from the face alone, reasons). Each pass is cut into chunks, fixed by the samples alone; rank r of w
do chunks r, r + w, ... (and shard I of N those of I, I + N, ...). A finished chunk is one line of
the process's own journal. Answers depend only on the chunk, whatever the interruptions and the
number of processes.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, sole_writer, write_json
from emollama.base.journal import Journal
from emollama.base.progress import Bar, silent
from emollama.workers.ranks import Ranks
from emollama.workers.shares import Share, lacking

IDENTITY = "identity.json"
Answer = dict[str, Any]
"""The answer to one sample in a pass: plain JSON values."""


@dataclass(frozen=True)
class Pass:
    """One question about many samples.

    Attributes:
        name: distinct among the passes of an evaluation.
        chunks: ids of the samples in each chunk.
        ask: function from the ids of a chunk to their answers.
    """

    name: str
    chunks: tuple[tuple[str, ...], ...]
    ask: Callable[[Sequence[str]], list[Answer]]


@contextmanager
def kept_answers(
    folder: Path,
    identity: dict[str, Any],
    ranks: Ranks,
    share: Share | None = None,
    merge: bool = False,
) -> Iterator[Path]:
    """`folder` for the answers of an evaluation in progress; removed when the block succeeds.

    Answers of an earlier run with the same `identity` (model, samples, settings) are kept; others
    are discarded with a note. A share leaves the folder for the merge.

    Raises:
        EmollamaError: another evaluation is writing there, the folder cannot be written, or holds
            answers of another identity where shards are made or merged.
    """
    if share is not None:
        with sole_writer(folder / share.name, f"{folder.parent}: shard {share} is running"):
            _claim(folder, identity, alone=False)
            yield folder
        return
    first = ranks.rank == 0
    busy = f"{folder.parent}: another evaluation is writing to this folder"
    with sole_writer(folder, busy) if first else nullcontext():
        if first:
            _claim(folder, identity, alone=not merge)
        ranks.barrier()
        yield folder
        ranks.barrier()
        if first:
            shutil.rmtree(folder, ignore_errors=True)


def _claim(folder: Path, identity: dict[str, Any], alone: bool) -> None:
    """Check whose answers a folder holds; where no other process is at work, drop foreign ones."""
    plain = json.loads(json.dumps(identity))
    record = folder / IDENTITY
    if record.is_file() and read_json(record) == plain:
        return
    old = _journals(folder)
    if not alone and (old or record.is_file()):
        raise EmollamaError(
            f"{folder}: holds answers of another model, manifest or settings; remove it, or give "
            "another output"
        )
    if old:
        print(
            f"note: {folder}: holds answers of another model, manifest or settings; "
            "starting from scratch",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    for path in old:
        path.unlink()
    write_json(record, plain)


def _journals(folder: Path) -> list[Path]:
    """The journals of ranks, and of shards."""
    return sorted(folder.glob("*.jsonl"))


def run_passes(
    passes: Sequence[Pass],
    folder: Path,
    ranks: Ranks,
    shown: Bar = silent,
    share: Share | None = None,
    merge: bool = False,
) -> dict[str, dict[str, Answer]]:
    """Answer this process's share of open questions; then, on rank 0, collect the answers of all.

    Args:
        passes: the same on every rank.
        folder: from `kept_answers`.
        ranks: this rank's share.
        shown: shows progress, pass by pass.
        share: of the chunks, in place of the rank's.
        merge: ask nothing.

    Returns:
        {pass: {id: answer}}, each id answered once; nothing on the other ranks and of a share.

    Raises:
        EmollamaError: an answer cannot be stored, a rank has stopped, or answers are missing in a
            merge.
    """
    own = f"rank{ranks.rank}" if share is None else share.name
    mine = share or Share(ranks.rank, ranks.world)
    journal = Journal(
        folder / f"{own}.jsonl", _chunk_of, lambda: _journals(folder), sync=True
    )  # fmt: skip
    with closing(journal):
        for one in passes:
            missing = [k for k in range(len(one.chunks)) if (one.name, k) not in journal]
            if merge and missing:
                names = {k: one.chunks[k][0] for k in missing}
                what = f"batches of clips with {one.name}"
                seen = [path.name for path in _journals(folder)]
                raise EmollamaError(lacking(folder.parent, what, names, seen))
            _ask(one, [k for k in missing if mine.has(k)], journal, shown)
        ranks.barrier()
        if ranks.rank != 0 or share is not None:
            return {}
        journal.reload()
        return {one.name: _answers(one, journal) for one in passes}


def _ask(one: Pass, todo: Sequence[int], journal: Journal[tuple[str, int]], shown: Bar) -> None:
    """Ask about some chunks of a pass."""
    total, done = sum(len(one.chunks[k]) for k in todo), 0
    with shown(f"samples, {one.name}") as advance:
        advance(0, total)
        for k in todo:
            started = time.monotonic()
            answers = one.ask(one.chunks[k])
            each = round(1000 * (time.monotonic() - started) / len(answers), 3)
            ids = dict(zip(one.chunks[k], answers, strict=True))
            row = {"pass": one.name, "chunk": k, "ms": each, "answers": ids}
            journal.add((one.name, k), row)
            done += len(ids)
            advance(done, total)


def _answers(one: Pass, journal: Journal[tuple[str, int]]) -> dict[str, Answer]:
    """The answers of a pass by id."""
    found: dict[str, Answer] = {}
    for k, chunk in enumerate(one.chunks):
        line = json.loads(journal.line((one.name, k))) if (one.name, k) in journal else {}
        if set(line.get("answers", ())) != set(chunk):
            raise EmollamaError(
                f"{journal.path.parent}: lacks answers of '{one.name}'; all ranks must "
                "share this disk"
            )
        found |= {i: {**a, "ms": line["ms"]} for i, a in line["answers"].items()}
    return found


def _chunk_of(line: bytes) -> tuple[str, int]:
    row = json.loads(line)
    return row["pass"], row["chunk"]

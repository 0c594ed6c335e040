"""The expensive part of an evaluation: shared out over processes, kept as it goes, resumable.

An evaluation asks about every sample in one or more passes (labels from voice and words, labels
from the face alone, reasons). Each pass is cut into chunks, fixed by the samples alone; rank r of w
does chunks r, r + w, ... A finished chunk is one line of the rank's own file, appended by a single
write, so a process that is killed leaves whole lines and at most one torn one, which is done again.
What a chunk gives depends on nothing but the chunk: interrupted or not, by however many ranks, the
answers are the same.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import cut_torn_line, read_json, sole_writer, write_json
from emollama.workers.ranks import Ranks

IDENTITY = "identity.json"
Answer = dict[str, Any]
"""What one sample got in a pass: plain JSON values."""


@dataclass(frozen=True)
class Pass:
    """One question to many samples.

    Attributes:
        name: distinct among the passes of an evaluation.
        chunks: ids of samples that are asked about together, in each chunk.
        ask: ids of a chunk to their answers, one each.
    """

    name: str
    chunks: tuple[tuple[str, ...], ...]
    ask: Callable[[Sequence[str]], list[Answer]]


@contextmanager
def kept_answers(folder: Path, identity: dict[str, Any], ranks: Ranks) -> Iterator[Path]:
    """`folder` for the answers of an evaluation in progress; removed when the block succeeds.

    Answers of an earlier run stay where its `identity` (model, samples, settings) was the same and
    are thrown away, which is said, where it was not.

    Raises:
        EmollamaError: another evaluation is writing there, or the folder cannot be written.
    """
    first = ranks.rank == 0
    busy = f"{folder.parent}: another evaluation writes there"
    with sole_writer(folder, busy) if first else nullcontext():
        if first:
            _claim(folder, identity)
        ranks.barrier()
        yield folder
        ranks.barrier()
        if first:
            shutil.rmtree(folder, ignore_errors=True)


def _claim(folder: Path, identity: dict[str, Any]) -> None:
    plain = json.loads(json.dumps(identity))
    record = folder / IDENTITY
    if record.is_file() and read_json(record) == plain:
        return
    old = sorted(folder.glob("rank*.jsonl"))
    if old:
        print(
            f"note: {folder}: holds answers of another model, manifest or settings; beginning anew",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    for path in old:
        path.unlink()
    write_json(record, plain)


def run_passes(
    passes: Sequence[Pass],
    folder: Path,
    ranks: Ranks,
    progress: Callable[[str, int], Callable[[int], None]] | None = None,
) -> dict[str, dict[str, Answer]]:
    """This rank's share of what is not answered yet; then, on rank 0, the answers of all ranks.

    Args:
        passes: the same on every rank.
        folder: as `kept_answers` gives it.
        ranks: which share this is.
        progress: name of a pass and samples to do, to a function that counts them up.

    Returns:
        {pass: {id: answer}}, each id answered once; nothing on the other ranks.

    Raises:
        EmollamaError: an answer that cannot be kept, or a rank that has stopped.
    """
    mine = folder / f"rank{ranks.rank}.jsonl"
    cut_torn_line(mine)
    done = _read(folder)
    for one in passes:
        todo = [
            k for k in range(ranks.rank, len(one.chunks), ranks.world) if (one.name, k) not in done
        ]
        advance = progress(one.name, sum(len(one.chunks[k]) for k in todo)) if progress else None
        for k in todo:
            started = time.monotonic()
            answers = one.ask(one.chunks[k])
            each = round(1000 * (time.monotonic() - started) / len(answers), 3)
            ids = dict(zip(one.chunks[k], answers, strict=True))
            _append(mine, {"pass": one.name, "chunk": k, "ms": each, "answers": ids})
            if advance is not None:
                advance(len(ids))
    ranks.barrier()
    if ranks.rank != 0:
        return {}
    done = _read(folder)
    found: dict[str, dict[str, Answer]] = {}
    for one in passes:
        of_pass: dict[str, Answer] = {}
        for k, chunk in enumerate(one.chunks):
            line = done.get((one.name, k))
            if line is None or set(line["answers"]) != set(chunk):
                raise EmollamaError(
                    f"{folder}: lacks answers of '{one.name}'; do all ranks share this disk?"
                )
            of_pass |= {i: {**a, "ms": line["ms"]} for i, a in line["answers"].items()}
        found[one.name] = of_pass
    return found


def _append(path: Path, line: dict[str, Any]) -> None:
    data = (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n").encode()
    try:
        with path.open("ab", buffering=0) as out:
            out.write(data)
            os.fsync(out.fileno())
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be written: {error.strerror or error}") from error


def _read(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Every chunk that any rank has finished; a line without an end is not finished."""
    done: dict[tuple[str, int], dict[str, Any]] = {}
    for path in sorted(folder.glob("rank*.jsonl")):
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
        for number, text in enumerate(whole, 1):
            try:
                line = json.loads(text)
                done[line["pass"], line["chunk"]] = line
            except (ValueError, LookupError, TypeError) as error:
                raise EmollamaError(
                    f"{path}:{number}: is no kept answer; remove {folder} to begin anew"
                ) from error
    return done

"""Every raw answer of a model, kept under the hash of its prompt, and the ledger over them.

A question is asked once: what was answered is read back, in this run and in any later one. The
ledger is summed from the answers themselves, so it is exact however often a run was killed.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json
from emollama.merr.models.endpoint import Message, Reply

LEDGER = "ledger.json"
Ask = Callable[[Sequence[Message], Callable[[str], None]], Reply]
_BLOB = 200  # characters from which a data URL is told by its hash


@dataclass(frozen=True)
class Kept:
    """An answer.

    Attributes:
        hash: of model, settings and prompt; names its file.
        text: raw.
    """

    hash: str
    text: str


def prompt_hash(model: Mapping[str, Any], messages: Sequence[Message]) -> str:
    """What an answer is kept under: who is asked, how, and what."""
    text = json.dumps([dict(model), list(messages)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


@dataclass
class Answers:
    """The answers of one stage.

    Attributes:
        folder: `answers/STAGE`.
        model: who answers, and with which settings; part of each hash.
    """

    folder: Path
    model: Mapping[str, Any]
    _asking: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, messages: Sequence[Message], ask: Ask) -> Kept:
        """The kept answer, or a new one that is then kept; threads never ask the same twice.

        Tries that fail are kept for the ledger as they do.

        Raises:
            NoReplyError: nobody answers.
        """
        name = prompt_hash(self.model, messages)
        with self._guard:
            lock = self._asking[name]
        with lock:
            path = self._path(name)
            if path.is_file():
                return Kept(name, _text(path))
            reply = ask(messages, lambda how: self._note_failure(name, how))
            self.keep(name, messages, reply)
            return Kept(name, reply.text)

    def any(self) -> bool:
        """Whether there is an answer to anything."""
        return next(self.folder.glob("*/*.json"), None) is not None

    def known(self, name: str) -> Kept | None:
        """The answer to a prompt of this hash, if there is one."""
        path = self._path(name)
        return Kept(name, _text(path)) if path.is_file() else None

    def keep(self, name: str, messages: Sequence[Message], reply: Reply) -> None:
        """Write an answer, atomically."""
        write_json(self._path(name), {
            "hash": name,
            "model": dict(self.model),
            "messages": _without_blobs(list(messages)),
            "answer": reply.text,
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
            "attempts": [*self._failures(name), "ok"],
        })  # fmt: skip
        self._failed(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.json"

    def _failed(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.unanswered"

    def _failures(self, name: str) -> list[str]:
        path = self._failed(name)
        return list(read_json(path)) if path.is_file() else []

    def _note_failure(self, name: str, how: str) -> None:
        write_json(self._failed(name), [*self._failures(name), how])


def read_answers(folder: Path) -> Iterator[dict[str, Any]]:
    """Every kept answer below `folder`, by hash."""
    for path in sorted(folder.glob("*/*.json")):
        yield _read(path)


def write_ledger(out: Path, prices: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """Sum up `out/answers` by stage into `out/ledger.json`.

    Args:
        out: folder of the build.
        prices: stage to price of a million tokens in and out.

    Returns:
        {stage: {model, answers, unanswered, attempts by how they ended, tokens, cost}}.
    """
    ledger: dict[str, Any] = {}
    for folder in sorted(p for p in (out / "answers").glob("*") if p.is_dir()):
        ends: Counter[str] = Counter()
        models: Counter[str] = Counter()
        into = outof = answers = 0
        for kept in read_answers(folder):
            answers += 1
            into, outof = into + kept["tokens_in"], outof + kept["tokens_out"]
            models[str(kept["model"].get("model"))] += 1
            ends.update(kept["attempts"])
        silent = sorted(folder.glob("*/*.unanswered"))
        for path in silent:
            ends.update(read_json(path))
        price_in, price_out = prices.get(folder.name, (0.0, 0.0))
        ledger[folder.name] = {
            "models": dict(sorted(models.items())),
            "answers": answers,
            "unanswered": len(silent),
            "attempts": dict(sorted(ends.items())),
            "tokens_in": into,
            "tokens_out": outof,
            "cost": round((into * price_in + outof * price_out) / 1e6, 6),
        }
    if ledger:
        write_json(out / LEDGER, ledger)
    return ledger


def _text(path: Path) -> str:
    return str(_read(path)["answer"])


def _read(path: Path) -> dict[str, Any]:
    kept = read_json(path)
    if not isinstance(kept, dict) or not isinstance(kept.get("answer"), str):
        raise EmollamaError(f"{path}: is not an answer that was kept; remove the file")
    return kept


def _without_blobs(value: Any) -> Any:
    """Messages with pictures and sounds told by hash: they are in the clips."""
    if isinstance(value, dict):
        return {k: _without_blobs(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_blobs(v) for v in value]
    if isinstance(value, str) and len(value) > _BLOB and " " not in value:
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
    return value

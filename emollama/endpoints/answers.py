"""The answer cache: each raw answer in a file named by the hash of its prompt, and the ledger.

Each question is asked once: later runs read the cached answer. The ledger is summed from the
answers themselves, so it is exact however often a run was killed.
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
from emollama.endpoints.client import Message, Reply

LEDGER = "ledger.json"
Ask = Callable[[Sequence[Message], Callable[[str], None]], Reply]
_BLOB = 200  # characters from which a data URL is replaced by its hash


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
    """The key of an answer: model, settings and prompt."""
    text = json.dumps([dict(model), list(messages)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


@dataclass
class Answers:
    """Answers of one model.

    Attributes:
        folder: folder of the cache.
        model: the model and its settings; part of each hash.
        named: computes the hash of an answer from model and messages.
        blank: whether to cache empty answers; otherwise they are asked again.
    """

    folder: Path
    model: Mapping[str, Any]
    named: Callable[[Mapping[str, Any], Sequence[Message]], str] = prompt_hash
    blank: bool = True
    _asking: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, messages: Sequence[Message], ask: Ask) -> Kept:
        """The cached answer, or a new one, which is cached; threads never ask the same question
        twice.

        Each failed attempt is recorded in the ledger at once.

        Raises:
            NoReplyError: no answer was received.
        """
        name = self.named(self.model, messages)
        with self._guard:
            lock = self._asking[name]
        with lock:
            path = self._path(name)
            if path.is_file():
                return Kept(name, _text(path))
            reply = ask(messages, lambda how: self._note_failure(name, how))
            if self.blank or reply.text.strip():
                self.keep(name, messages, reply)
            return Kept(name, reply.text)

    def any(self) -> bool:
        """Whether the cache holds any answer."""
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
    """Every cached answer below `folder`, by hash."""
    for path in sorted(folder.glob("*/*.json")):
        kept = _read(path)
        # A judge's answers of earlier releases have its name alone.
        known = {"model": {}, "tokens_in": 0, "tokens_out": 0, "attempts": ["ok"]}
        yield {**known, **kept}


def ledger(folder: Path, price_in: float = 0.0, price_out: float = 0.0) -> dict[str, Any]:
    """The ledger of a folder: what its answers cost.

    Args:
        folder: of `Answers`.
        price_in, price_out: price per million tokens, in any currency.

    Returns:
        {models, answers, unanswered, attempts by how they ended, tokens_in, tokens_out, cost}.
    """
    ends: Counter[str] = Counter()
    models: Counter[str] = Counter()
    into = outof = answers = 0
    for kept in read_answers(folder):
        answers += 1
        into, outof = into + kept["tokens_in"], outof + kept["tokens_out"]
        judge = kept["model"].get("judge", kept.get("judge"))
        models[str(kept["model"].get("model", judge))] += 1
        ends.update(kept["attempts"])
    silent = sorted(folder.glob("*/*.unanswered"))
    for path in silent:
        ends.update(read_json(path))
    return {
        "models": dict(sorted(models.items())),
        "answers": answers,
        "unanswered": len(silent),
        "attempts": dict(sorted(ends.items())),
        "tokens_in": into,
        "tokens_out": outof,
        "cost": round((into * price_in + outof * price_out) / 1e6, 6),
    }


def write_ledger(out: Path, prices: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """Sum up each folder of `out/answers` into `out/ledger.json`.

    Args:
        out: folder of a build.
        prices: folder to price of a million tokens in and out.

    Returns:
        {folder: its `ledger`}.
    """
    folders = sorted(p for p in (out / "answers").glob("*") if p.is_dir())
    found = {p.name: ledger(p, *prices.get(p.name, (0.0, 0.0))) for p in folders}
    if found:
        write_json(out / LEDGER, found)
    return found


def _text(path: Path) -> str:
    return str(_read(path)["answer"])


def _read(path: Path) -> dict[str, Any]:
    kept = read_json(path)
    if not isinstance(kept, dict) or not isinstance(kept.get("answer"), str):
        raise EmollamaError(f"{path}: is not a valid cached answer; remove the file")
    return kept


def _without_blobs(value: Any) -> Any:
    """Messages with pictures and sounds replaced by their hashes, since the clips hold them."""
    if isinstance(value, dict):
        return {k: _without_blobs(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_blobs(v) for v in value]
    if isinstance(value, str) and len(value) > _BLOB and " " not in value:
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
    return value

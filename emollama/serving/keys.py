"""API keys: who may ask, and how often."""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.base.files import read_lines
from emollama.serving.refusal import Refusal

SHORTEST_KEY = 8
_LAYOUT = "a line is 'NAME KEY' or 'NAME KEY REQUESTS-A-MINUTE'"


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes:
        name: whose it is; not secret.
        secret: what a client sends.
        rate: requests a minute that take work; None for as many as the server can.
    """

    name: str
    secret: str = field(repr=False)
    rate: float | None = None


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a text file, one a line; empty lines and those after # are skipped.

    Raises:
        EmollamaError: the file cannot be read, or a line is wrong, which is named without its key.
    """
    keys: list[Key] = []
    for number, line in read_lines(path):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}:{number}"
        if not 2 <= len(words) <= 3:
            raise EmollamaError(f"{where}: {_LAYOUT}")
        if len(words[1]) < SHORTEST_KEY:
            raise EmollamaError(f"{where}: an API key needs at least {SHORTEST_KEY} characters")
        keys.append(Key(words[0], words[1], _rate(words[2], where) if words[2:] else None))
        if len({k.name for k in keys}) < len(keys) or len({k.secret for k in keys}) < len(keys):
            raise EmollamaError(f"{where}: its name or its key is that of an earlier line")
    if not keys:
        raise EmollamaError(f"{path}: holds no key; {_LAYOUT}")
    return tuple(keys)


def _rate(text: str, where: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise EmollamaError(f"{where}: requests a minute must be a number above 0, not '{text}'")
    return rate


class Keyring:
    """Keys with what is left of their rates; a minute's requests may come at once.

    Args:
        keys: all keys; without any, everybody may ask.
        clock: in seconds.
    """

    def __init__(self, keys: Sequence[Key], clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._clock = tuple(keys), clock
        self._left: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def of(self, authorization: str) -> Key:
        """The key in a header, whose bytes come as Latin-1.

        Raises:
            Refusal: it holds none of these (401).
        """
        scheme, _, given = authorization.partition(" ")
        # The bytes as they were sent: a key may be any UTF-8. All are compared, in constant time.
        sent = given.strip().encode("latin-1")
        same = [key for key in self._keys if hmac.compare_digest(sent, key.secret.encode())]
        if scheme.lower() != "bearer" or not same:
            raise Refusal(401, "give the server's API key: 'Authorization: Bearer KEY'")
        return same[0]

    def spend(self, key: Key) -> None:
        """Count a request that takes work.

        Raises:
            Refusal: the key's rate is used up (429).
        """
        if key.rate is None:
            return
        now = self._clock()
        most = max(1.0, key.rate)
        left, before = self._left.get(key.name, (most, now))
        left = min(most, left + (now - before) * key.rate / 60)
        if left < 1:
            self._left[key.name] = left, now
            raise Refusal(
                429, f"this key may ask {key.rate:g} times a minute",
                retry_after=max(1, math.ceil((1 - left) * 60 / key.rate)),
            )  # fmt: skip
        self._left[key.name] = left - 1, now

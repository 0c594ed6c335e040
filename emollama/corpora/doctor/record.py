"""What has been seen of each clip, on disk: one line a clip and check, appended as it comes in.

A line counts as long as the clip has the same signature (paths, span, size and time of its files)
and the check the same fingerprint; so a run that was killed goes on where it was, and clips that
changed are looked at again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO

from pydantic import TypeAdapter, ValidationError

from emollama.base.errors import EmollamaError
from emollama.base.files import cut_torn_line, sole_writer
from emollama.corpora.doctor.look import FACE, FaceFacts, Facts, MediaFacts
from emollama.workers.worker import Failure

LOOKS = "looks.jsonl"


@dataclass(frozen=True)
class _Line:
    """A line of the file; `failure` is there in the place of `facts`."""

    id: str
    signature: str
    check: str
    fingerprint: str
    facts: MediaFacts | FaceFacts | None = None
    failure: Failure | None = None


_LINE = TypeAdapter(_Line)


class Record:
    """The facts known so far, in a folder that one run at a time writes to.

    Args:
        folder: made if it is not there.
        fingerprints: of the checks, by key; lines of others are not read.

    Raises:
        EmollamaError: the folder cannot be written, or another run is writing to it.
    """

    def __init__(self, folder: Path, fingerprints: Mapping[str, str]) -> None:
        self.path = folder / LOOKS
        self._fingerprints = dict(fingerprints)
        self._known: dict[tuple[str, str], tuple[str, Facts | Failure]] = {}
        self._out: TextIO | None = None
        self._held = ExitStack()

    def __enter__(self) -> Record:
        folder = self.path.parent
        busy = f"{folder}: another doctor is writing to this folder"
        with ExitStack() as held:
            held.enter_context(sole_writer(folder, busy))
            try:
                self._read()
                self._out = held.enter_context(self.path.open("a", encoding="utf-8"))
            except OSError as error:
                raise EmollamaError(
                    f"{folder}: cannot be written: {error.strerror or error}"
                ) from error
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def get(self, sample_id: str, signature: str, key: str) -> Facts | Failure | None:
        """What is known of a clip with this signature, or None."""
        known = self._known.get((sample_id, key))
        return known[1] if known is not None and known[0] == signature else None

    def add(self, sample_id: str, signature: str, facts: Mapping[str, Facts | Failure]) -> None:
        """Keep what was seen of a clip, by check; it is on disk after `flush`."""
        assert self._out is not None, "used outside its `with` block"
        for key, value in facts.items():
            self._known[sample_id, key] = signature, value
            row = {
                "id": sample_id,
                "signature": signature,
                "check": key,
                "fingerprint": self._fingerprints[key],
                "failure" if isinstance(value, Failure) else "facts": asdict(value),
            }
            self._out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")

    def flush(self) -> None:
        """Hand what was added to the system; a full disk is an `EmollamaError`."""
        assert self._out is not None, "used outside its `with` block"
        try:
            self._out.flush()
        except OSError as error:
            raise EmollamaError(
                f"{self.path}: cannot be written: {error.strerror or error}"
            ) from error

    def _read(self) -> None:
        """Take over what an earlier run wrote; a line that was cut off by its end is removed."""
        if not self.path.is_file():
            return
        cut_torn_line(self.path)
        with self.path.open("rb") as lines:
            for line in lines:
                # A line that is none (an edit, another version) is as good as not there.
                with suppress(ValidationError):
                    self._take(_LINE.validate_json(line, strict=True))

    def _take(self, line: _Line) -> None:
        key, facts = line.check, line.failure or line.facts
        kind = FaceFacts if key == FACE else MediaFacts
        if line.fingerprint == self._fingerprints.get(key) and isinstance(facts, kind | Failure):
            self._known[line.id, key] = line.signature, facts

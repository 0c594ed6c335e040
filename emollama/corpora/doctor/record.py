"""The facts about each clip on disk: one line per clip and check, appended as they come in.

A line is valid while the clip has the same signature (paths, span, size and time of its files) and
the check the same fingerprint; so a killed run resumes where it stopped, and changed clips are
checked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from pydantic import TypeAdapter, ValidationError

from emollama.base.files import sole_writer
from emollama.base.journal import Journal
from emollama.corpora.doctor.look import FACE, FaceFacts, Facts, MediaFacts
from emollama.workers.worker import Failure

LOOKS = "looks.jsonl"


@dataclass(frozen=True)
class _Line:
    """A line of the file; `failure` replaces `facts` if the check failed."""

    id: str
    signature: str
    check: str
    fingerprint: str
    facts: MediaFacts | FaceFacts | None = None
    failure: Failure | None = None


_LINE = TypeAdapter(_Line)


class Record:
    """The facts so far, in a folder with one writer at a time.

    Args:
        folder: created if missing.
        fingerprints: of the checks, by key; lines of other checks are ignored.

    Raises:
        EmollamaError: the folder cannot be written, or another run is writing to it.
    """

    def __init__(self, folder: Path, fingerprints: Mapping[str, str]) -> None:
        self._folder = folder
        self._fingerprints = dict(fingerprints)
        self._held = ExitStack()

    def __enter__(self) -> Record:
        busy = f"{self._folder}: another doctor run is writing to this folder"
        with ExitStack() as held:
            held.enter_context(sole_writer(self._folder, busy))
            self._journal = Journal(self._folder / LOOKS, self._key_of)
            held.callback(self._journal.close)
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
        """The facts about a clip with this signature, or None."""
        if (sample_id, key) not in self._journal:
            return None
        line = _LINE.validate_json(self._journal.line((sample_id, key)))
        return (line.failure or line.facts) if line.signature == signature else None

    def add(self, sample_id: str, signature: str, facts: Mapping[str, Facts | Failure]) -> None:
        """Store the facts about a clip, by check."""
        for key, value in facts.items():
            row = {
                "id": sample_id,
                "signature": signature,
                "check": key,
                "fingerprint": self._fingerprints[key],
                "failure" if isinstance(value, Failure) else "facts": asdict(value),
            }
            self._journal.add((sample_id, key), row)

    def _key_of(self, text: bytes) -> tuple[str, str] | None:
        """None for a line that is invalid, of another version, or of another check."""
        try:
            line = _LINE.validate_json(text, strict=True)
        except ValidationError:
            return None
        facts = line.failure or line.facts
        kind = FaceFacts if line.check == FACE else MediaFacts
        known = line.fingerprint == self._fingerprints.get(line.check)
        return (line.id, line.check) if known and isinstance(facts, kind | Failure) else None

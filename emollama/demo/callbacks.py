"""Callbacks of the page's controls. They know the session, but not the layout.

Each callback is a generator of changes: values by component name.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.demo.bars import answer_bars, carried
from emollama.demo.desk import NO_CLIP, View
from emollama.demo.examples import Example
from emollama.demo.peak import peak_figure
from emollama.demo.player import player
from emollama.demo.saving import case_sheet, notes, whole_record
from emollama.demo.source import Source, face_views
from emollama.demo.status import Changes, busy, done, on_the_page, ready
from emollama.demo.timeline import lanes
from emollama.demo.visit import LONGEST_WORDS, Visit, chosen_labels
from emollama.manifest.labels import LABEL_SETS
from emollama.media.cutting import Box
from emollama.serving.decoders import DecoderPool
from emollama.session import Answer, ClipView, Session, Weights
from emollama.session.describing import can_describe, with_description
from emollama.session.questions import NO_LABELS, OWN_LABELS_ONLY

EXAMPLE = "An example, answered already. Choose another one, or a clip of your own."


@dataclass(frozen=True)
class Known:
    """An example that has been answered: the same for every visitor."""

    look: ClipView
    answer: Answer
    weights: Weights | None


class Callbacks:
    """Callbacks of one page; visitors share the session, and each has a `Visit`.

    Args:
        session: the model.
        decoders: decodes clips in processes with limits.
        folder: private folder for saved files.
        examples: clips to choose from; the first is shown, answered, to who comes.
    """

    def __init__(
        self,
        session: Session,
        decoders: DecoderPool,
        folder: Path,
        examples: Sequence[Example] = (),
    ) -> None:
        self.session, self.decoders, self.folder = session, decoders, folder
        self.describes = can_describe(session.artefact)
        self.examples = {one.path: one for one in examples}
        self._known: dict[Path, Known] = {}
        self._knowing = threading.Lock()

    @property
    def label_sets(self) -> dict[str, Sequence[str]]:
        """Label sets to choose from, by name; the first one, the model's own, is empty."""
        sets: dict[str, Sequence[str]] = {f"the model's own: {', '.join(self.session.labels)}": ()}
        if self.session.writes:
            for name, one in LABEL_SETS.items():
                sets[f"{name}: {', '.join(one.labels)}"] = one.labels
        return sets

    # --- clips ---------------------------------------------------------------------------------

    @on_the_page
    def open(
        self,
        view: View,
        path: str | None,
        labels: str | None = None,
        name: str | None = None,
        text: str | None = None,
    ) -> Iterator[Changes]:
        """Read a clip, ask for its label, and weigh the channels' shares.

        The page keeps its current clip until the new one has been read.

        Args:
            view: of the page.
            path: of the file; None if the visitor removed it.
            labels: as in `relabel`.
            name: shown instead of the file's name.
            text: the transcript, if known; else the clip is transcribed.
        """
        if path is not None:
            file = Path(path)
            yield from self._read(view, Source(file, name or file.name, text), labels)

    @on_the_page
    def example(self, view: View, path: Path, labels: str | None) -> Iterator[Changes]:
        """Show an example; it is read and answered once for all visitors."""
        yield from self._example(view, path, labels)

    @on_the_page
    def greet(self, view: View) -> Iterator[Changes]:
        """Show the first example to who has chosen nothing yet."""
        if self.examples and not view.desk.openings:
            yield from self._example(view, next(iter(self.examples)), None)
            yield {"state": ready(EXAMPLE)}

    def _example(self, view: View, path: Path, labels: str | None) -> Iterator[Changes]:
        one = self.examples[path]
        source = Source(path, f"Example: {one.title}", one.text)
        own = chosen_labels(labels, self.label_sets) is None
        if not own or view.desk.person is not None:
            yield from self._read(view, source, labels)
            return
        view.open()
        view.desk.chosen = source
        yield self._reading(source)
        try:
            known = self.know(one)
        except Exception:
            yield {"reading": ""}
            raise
        visit = Visit(source, known.look, answer=known.answer, weights=known.weights)
        visit.faces, visit.face = face_views(known.look.observation.peak)
        if view.put(visit):
            yield self._shown(view, visit) | self._of_answer(known.answer, known.weights)

    def know(self, example: Example) -> Known:
        """An example, read and answered; kept for the next visitor."""
        with self._knowing:
            if example.path not in self._known:
                observation = self.decoders.watch(example.path)
                look = self.session.look_at(observation, example.text, example.title)
                answer = self._ask(look)
                weights = self.session.weights(look, answer.label)
                self._known[example.path] = Known(look, answer, weights)
            return self._known[example.path]

    @on_the_page
    def part(
        self, view: View, start: float | None, end: float | None, labels: str | None = None
    ) -> Iterator[Changes]:
        """Read only this part of the clip that was chosen last, in seconds; None for its ends."""
        if view.desk.chosen is None:
            raise EmollamaError(NO_CLIP)
        yield from self._read(view, view.desk.chosen.part(start, end), labels)

    @on_the_page
    def choose_face(self, view: View, face: int, labels: str | None = None) -> Iterator[Changes]:
        """Read another face of the clip, counted from the left."""
        visit = view.opened
        if not 0 <= face < len(visit.faces):
            raise EmollamaError("there is no such face in this clip")
        given = visit.whole.text if visit.whole.text_source == "given" else None
        source = replace(visit.source, view=visit.faces[face], text=given)
        yield from self._read(view, source, labels, (visit.faces, face))

    def _read(
        self,
        view: View,
        source: Source,
        labels: str | None,
        faces: tuple[tuple[Box, ...], int] | None = None,
    ) -> Iterator[Changes]:
        view.open()
        view.desk.chosen = source
        yield self._reading(source)
        try:
            self.decoders.inspect(source.path, source.start, source.end)
            observation = self.decoders.watch(
                source.path, start=source.start, end=source.end, view=source.view
            )
            whole = self.session.look_at(observation, source.text, source.name)
            visit = Visit(source, view.desk.known(self.session, whole))
            visit.labels = chosen_labels(labels, self.label_sets)
        except Exception:
            yield {"reading": ""}
            raise
        visit.faces, visit.face = faces or face_views(observation.peak)
        if not view.put(visit):
            return  # another clip was chosen meanwhile
        yield self._shown(view, visit)
        yield from self._answered(visit)

    def _reading(self, source: Source) -> Changes:
        """The clip is shown while it is read."""
        # Browsers complain of a file in which there is nothing, or that was removed as too old.
        full = source.path.is_file() and source.path.stat().st_size
        return {
            "states": "",
            "state": busy(f"Reading {source.name}: faces, voice, words …", stale=True),
            "reading": player(source) if full else "",
        }

    def _shown(self, view: View, visit: Visit) -> Changes:
        """A clip that has been read, in place of the one before."""
        return {
            "states": "",
            "desk": view.desk,
            "results": True,
            "reading": "",
            "chat": [],
            "answer": "",
            "carried": "",
            "player": player(visit.source, visit.look),
            "peak": peak_figure(visit.look),
            "which_face": (len(visit.faces), visit.face),
            **self._of_look(visit),
        }

    @on_the_page
    def use(self, view: View, *used: bool) -> Iterator[Changes]:
        """Use these channels and leave out the others.

        Args:
            view: of the page.
            used: for each of the session's channels.
        """
        visit = view.opened
        off = {c for c, on in zip(self.session.channels, used, strict=True) if not on}
        try:
            # What the clip does not have cannot be switched, and is not meant to be left out.
            visit.leave_out(off & set(visit.whole.present))
        except EmollamaError:
            yield self._switches(visit)
            raise
        yield from self.asked_again(visit)

    @on_the_page
    def reword(self, view: View, text: str) -> Iterator[Changes]:
        """Use the edited transcript."""
        visit = view.opened
        if len(text) > LONGEST_WORDS:
            raise EmollamaError(
                f"the transcript has {len(text)} characters; at most {LONGEST_WORDS} are allowed"
            )
        visit.reword(self.session, text)
        yield {**self._of_look(visit), "player": player(visit.source, visit.look)}
        yield from self._answered(visit)

    @on_the_page
    def relabel(self, view: View, labels: str | None) -> Iterator[Changes]:
        """Choose from other labels: a set by name, or words separated by commas."""
        visit = view.visit
        if visit is None:
            return
        chosen = chosen_labels(labels, self.label_sets)
        before = visit.labels, visit.answer, visit.weights
        visit.labels = chosen
        visit.changed()
        try:
            yield from self._answered(visit, kept=True)
        except EmollamaError:
            # What the page shows still holds.
            visit.labels, visit.answer, visit.weights = before
            raise

    def asked_again(self, visit: Visit) -> Iterator[Changes]:
        """The answer to a clip whose evidence has changed."""
        yield self._of_look(visit)
        yield from self._answered(visit)

    def _of_look(self, visit: Visit) -> Changes:
        return {
            "words": visit.look.text or "",
            "notes": notes(visit),
            "timeline": lanes(visit.look, visit.answer.frames if visit.answer else None),
            **self._switches(visit),
        }

    def _switches(self, visit: Visit) -> Changes:
        """Each channel's switch: on or off, or None if the clip lacks the channel."""
        return {
            f"use_{c}": (c not in visit.left_out) if c in visit.whole.present else None
            for c in self.session.channels
        }

    def _ask(self, look: ClipView, labels: Sequence[str] | None = None) -> Answer:
        held = self.session.calibration if labels is None else None
        coverage = None if held is None else held.coverage
        found = self.session.answer(look, explain=False, labels=labels, coverage=coverage)
        return with_description(self.session.artefact, look, found) if self.describes else found

    def _answered(self, visit: Visit, kept: bool = False) -> Iterator[Changes]:
        """The answer and the shares; `kept` where a refusal leaves those that are shown valid."""
        look, labels, changes = visit.look, visit.labels, visit.changes
        yield {"state": busy("Asking the model …", stale=True)}
        try:
            found = self._ask(look, labels)
        except Exception as error:
            if not (kept and isinstance(error, EmollamaError)):
                yield {"answer": "", "carried": ""}  # what stands there holds no longer
            raise
        if visit.changes != changes:
            yield {"state": ""}  # something else was changed, and its own answer is computed
            return
        visit.answer = found
        timeline = {"timeline": lanes(look, found.frames)} if found.frames else {}
        if labels is not None and set(labels) != set(self.session.labels):
            told = f"<p class='small'>{OWN_LABELS_ONLY}</p>"
            yield timeline | {
                "answer": answer_bars(found), "carried": told, "state": done(found.seconds)
            }  # fmt: skip
            return
        yield timeline | {
            "answer": answer_bars(found), "carried": "", "state": busy("Weighing the channels …")
        }  # fmt: skip
        weights = self.session.weights(look, found.label)
        if visit.changes != changes:
            yield {"state": ""}
            return
        visit.weights = weights
        yield self._of_answer(found, weights)

    def _of_answer(self, answer: Answer, weights: Weights | None) -> Changes:
        told = f"<p class='small'>{NO_LABELS}</p>" if weights is None else carried(weights)
        return {"answer": answer_bars(answer), "carried": told, "state": done(answer.seconds)}

    # --- saving --------------------------------------------------------------------------------

    @on_the_page
    def save_json(self, view: View) -> Iterator[Changes]:
        """The visit as a JSON file."""
        visit, answer = _answered(view)
        found = whole_record(self.session, visit, answer)
        text = json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        yield {"saved": str(self._file(visit, ".json", text)), "state": ""}

    @on_the_page
    def save_sheet(self, view: View) -> Iterator[Changes]:
        """The visit as a case sheet."""
        visit, answer = _answered(view)
        text = case_sheet(self.session, visit, answer)
        yield {"saved": str(self._file(visit, ".html", text)), "state": ""}

    def _file(self, visit: Visit, suffix: str, text: str) -> Path:
        stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(visit.name).stem)[:60]
        # An empty folder may have been swept away.
        self.folder.mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(dir=self.folder)) / f"{stem or 'clip'}{suffix}"
        path.write_text(text, encoding="utf-8")
        return path


def _answered(view: View) -> tuple[Visit, Answer]:
    visit = view.opened
    if visit.answer is None:
        raise EmollamaError("there is no answer to save yet")
    return visit, visit.answer

"""Analyse the scenes of a folder, and keep what the measurement needs as one cell.

python -m benchmarks.recordings.collecting SCENES [--model models/people/llm] [--transcribe]
    [--split test] [--out results/recordings/NAME.jsonl]

NAME is the folder's. Each scene is analysed as `emollama analyse` does; then voices are told apart
again with the number of people given, and with the true speech given, and the true segments are
asked about with each true person's norm. Scenes that the file holds already are kept. Nothing that
identifies a person is written: spans, scores and the centres of faces, under the corpora's ids.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.recordings.found import RESULTS, Answer, Cell, Found, read_cell, write_cell
from emollama.assets.people import model_or_shipped
from emollama.base.errors import one_line_errors
from emollama.media.speech import Span
from emollama.probe.scene_truth import SceneTruth, read_truths, view_of
from emollama.recording.analysis import Analyst, Options, tracks_of
from emollama.recording.answering.answers import Asked
from emollama.recording.answering.asking import Asker
from emollama.recording.answering.samples import segment_samples
from emollama.recording.parts import Person, Segment, SegmentAnswer, Turn, Word
from emollama.recording.people import find_people
from emollama.recording.turns import voice_turns
from emollama.recording.work import Work, opened


def scene_found(analyst: Analyst, path: Path, truth: SceneTruth, out: Path) -> Found:
    """Analyse one scene; `out` is a folder for its files.

    Raises:
        EmollamaError: the scene cannot be analysed.
    """
    lengths = tracks_of(path)
    with opened(out, analyst.options.run(path)) as work:
        assert work is not None, "a new folder"
        analysis, blocks = analyst.found(path, lengths, out, path.stem, work)
        voices = [block.voice for block in blocks if block.voice is not None]
        counted = find_people(blocks, lengths.end, len(truth.people)).turns
        speech = [Span(start, end) for start, end in _joined(truth)]
        given = voice_turns(voices, None, speech)
        segments, answers = _true_answers(analyst, path, truth, out, work)
    return Found(
        turns=_spans(analysis.turns),
        counted=_spans(counted),
        true_speech=_spans(given),
        faces={person.name: _faces(person) for person in analysis.people if person.tracks},
        cuts=analysis.cuts,
        answers=_answers(analysis.segments, analysis.answers),
        true_answers=_answers(segments, answers),
    )


def _true_answers(
    analyst: Analyst, path: Path, truth: SceneTruth, out: Path, work: Work
) -> tuple[list[Segment], list[SegmentAnswer]]:
    """What is said of the true segments, in their order."""
    segments = [
        Segment(
            f"true-{number:04d}", s.person, s.start, s.end, s.end - s.start, view_of(truth, s),
            (Word(s.start, s.end, s.text),) if s.text else (),
        )
        for number, s in enumerate(truth.segments)
    ]  # fmt: skip
    manifest = segment_samples(segments, path, out, path.stem, analyst.session.labels, True)
    asker = Asker(analyst.session, manifest, work, "true")
    moments = asker.look(segments, _quiet)
    return segments, asker.answer(segments, moments, Asked(), _quiet)


def _quiet(done: float, total: float) -> None:
    """Tell nothing."""


def _joined(truth: SceneTruth) -> list[tuple[float, float]]:
    """Where anybody truly speaks."""
    joined: list[tuple[float, float]] = []
    for turn in truth.turns:
        if joined and turn.start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], turn.end))
        else:
            joined.append((turn.start, turn.end))
    return joined


def _spans(turns: Sequence[Turn]) -> tuple[tuple[float, float, str], ...]:
    return tuple((turn.start, turn.end, turn.speaker) for turn in turns)


def _faces(person: Person) -> tuple[tuple[float, float, float], ...]:
    """The centre of the face, once a second."""
    places: dict[int, tuple[float, float, float]] = {}
    for track in person.tracks:
        for time, (left, top, right, bottom) in zip(track.times, track.boxes, strict=True):
            places.setdefault(
                int(time),
                (float(time), float(left + right) / 2, float(top + bottom) / 2),
            )
    return tuple(places[second] for second in sorted(places))


def _answers(segments: Sequence[Segment], answers: Sequence[SegmentAnswer]) -> tuple[Answer, ...]:
    return tuple(
        Answer(s.start, s.end, s.person, dict(a.scores), a.without_norm)
        for s, a in zip(segments, answers, strict=True)
    )


def collect(analyst: Analyst, scenes: Path, path: Path, split: str | None = None) -> Cell:
    """Analyse the scenes of a folder that `path` lacks; it is written after each.

    Raises:
        EmollamaError: a scene or its truth cannot be read.
    """
    cell = read_cell(path) if path.is_file() else []
    done = {truth.name for truth, _ in cell}
    for truth in read_truths(scenes):
        if truth.name in done or (split is not None and not truth.name.startswith(split)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = scene_found(analyst, scenes / truth.media, truth, Path(folder))
        cell.append((truth, found))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_cell(path, cell)
    return cell


@one_line_errors
def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--transcribe", action="store_true")
    parser.add_argument("--split")
    parser.add_argument("--out", type=Path)
    a = parser.parse_args()
    path = a.out or RESULTS / f"{a.scenes.name}.jsonl"
    analyst = Analyst(Options(model_or_shipped(a.model), transcribe=a.transcribe))
    cell = collect(analyst, a.scenes, path, a.split)
    print(f"{path}: {len(cell)} scenes")


if __name__ == "__main__":
    main()

"""The analysis of a recording: blocks, people, words, segments, answers, files.

Everything that takes long is kept in the work folder as it is found; what joins it over the whole
recording is quick and done anew. So the same command goes on where a killed run ended, and writes
the same files.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import write_json
from emollama.base.precision import Precision, Quantisation
from emollama.base.progress import recorded
from emollama.media.clip import MediaError
from emollama.media.decode import decode_clip
from emollama.media.lengths import TrackLengths, track_lengths
from emollama.media.pictures import is_still
from emollama.media.transcript import Transcriber
from emollama.media.whispers import Whisper
from emollama.recording.answering.answers import LISTENS, Asked, told_once
from emollama.recording.answering.asking import Asker
from emollama.recording.answering.samples import segment_samples, write_samples
from emollama.recording.answering.values import ROLE, add_values, require_values
from emollama.recording.blocks import Block, Tools, read_blocks
from emollama.recording.export import FORMATS, write_all
from emollama.recording.notice import NOTICE
from emollama.recording.parts import Analysis, SegmentAnswer, clock
from emollama.recording.people import find_people, write_vectors
from emollama.recording.result.kept import ANALYSIS, keep_analysis
from emollama.recording.segments import cut_segments
from emollama.recording.speech import Said, hear
from emollama.recording.work import RECORD, Work, finished, opened
from emollama.session import Session, open_session
from emollama.session.answers_table import model_signature

_MOST_NOTES = 5  # about stretches that cannot be decoded
_SHORTFALL = 1.0  # seconds that a file may be shorter than it says, or a track than another


@dataclass(frozen=True)
class Options:
    """How recordings are analysed.

    Attributes:
        model: folder of the model that answers.
        whisper: the transcriber.
        transcribe: whether to write down what is said.
        reasons: whether to write a reason for each segment.
        coverage: also ask for the labels that hold the true one in this share of segments.
        people: number of people who speak; None to find it out.
        values: folder of a model of values over time.
        formats: of `FORMATS`.
        show_faces: whether the report shows faces that can be recognised.
        keep_vectors: whether to write the vectors that people are told apart by.
        dtype: precision of a language model.
        quantise: how a language model is held; None as in training.
        keep_analysis: whether to write what all files can be written from again (`result.kept`).
    """

    model: Path
    whisper: Whisper = Whisper()  # noqa: RUF009  it is frozen
    transcribe: bool = True
    reasons: bool = False
    coverage: float | None = None
    people: int | None = None
    values: Path | None = None
    formats: tuple[str, ...] = FORMATS
    show_faces: bool = False
    keep_vectors: bool = False
    dtype: Precision = "auto"
    quantise: Quantisation | None = None
    keep_analysis: bool = False

    def run(self, recording: Path) -> dict[str, Any]:
        """What is analysed how, as plain data by words for messages."""
        status = recording.stat()
        values = None if self.values is None else [self.values.name, _digest(self.values)]
        return {
            "recording": [recording.name, status.st_size, status.st_mtime_ns],
            "model": [self.model.name, _digest(self.model)],
            "--dtype": self.dtype,
            "--transcribe": self.transcribe,
            "--transcriber": self.whisper.name,
            "--language": self.whisper.language,
            "--explain": self.reasons,
            "--coverage": self.coverage,
            "--people": self.people,
            "--values": values,
            "--formats": ",".join(self.formats),
            "--show-faces": self.show_faces,
            "--keep-vectors": self.keep_vectors,
        } | ({} if self.quantise is None else {"--quantise": self.quantise})


def _digest(model: Path) -> str:
    return hashlib.sha256(json.dumps(model_signature(model)).encode()).hexdigest()[:16]


def formats_of(text: str | None) -> tuple[str, ...]:
    """The files that "csv,rttm" names; all of None.

    Raises:
        EmollamaError: an unknown one, or none.
    """
    if text is None:
        return FORMATS
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in FORMATS:
            raise EmollamaError(f"--formats '{name}' is unknown{did_you_mean(name, FORMATS)}")
    if not names:
        raise EmollamaError(f"--formats names none; known: {', '.join(FORMATS)}")
    return tuple(name for name in FORMATS if name in names)


class Analyst:
    """Models, loaded once, that analyse recordings."""

    def __init__(self, options: Options) -> None:
        self.options = options

    @cached_property
    def session(self) -> Session:
        """The model that answers.

        Raises:
            EmollamaError: it cannot be opened, or does not answer with labels.
        """
        options = self.options
        session = open_session(
            options.model, options.dtype, describe=False, quantise=options.quantise
        )
        if not session.labels:
            raise EmollamaError(
                f"{options.model}: answers with values; give a model of labels as --model, and "
                "this one as --values"
            )
        session.require_calibrated(options.coverage)
        if options.reasons and not session.writes:
            raise EmollamaError(f"model '{session.name}' writes no reasons; leave out --explain")
        return session

    @cached_property
    def values(self) -> Session | None:
        """The model of values; None if none was given."""
        if self.options.values is None:
            return None
        session = open_session(self.options.values, describe=False)
        require_values(session)
        return session

    @cached_property
    def transcriber(self) -> Transcriber:
        """Whisper."""
        return Transcriber.open(self.options.whisper)

    def analyse(self, recording: Path, out: Path, name: str) -> dict[str, Any]:
        """Analyse a recording, or go on with it; the files lie in `out`.

        Args:
            recording: a video or sound file.
            out: folder, created if missing.
            name: of the recording in ids, speakers and groups.

        Returns:
            What the table of several recordings says of it.

        Raises:
            EmollamaError: the recording cannot be read, or `out` cannot be written or holds
                another analysis.
        """
        lengths = tracks_of(recording)
        run = self.options.run(recording)
        if not finished(out):
            _ = self.session, self.values  # what is wrong with them is told before `out` is made
        with opened(out, run) as work:
            if work is None:
                _say(f"{out}: was analysed before, nothing to do")
                return dict(_read_record(out))
            _say(f"{recording}: {_about(lengths)}")
            found, blocks = self.found(recording, lengths, out, name, work)
            told = _summary(found)
            if self.options.keep_vectors:
                write_vectors(out / "vectors.npz", blocks, found.people)
            if self.options.keep_analysis:
                keep_analysis(found, out / ANALYSIS)
            write_all(found, out, self.options.formats, self.options.show_faces)
            record = {"run": run, "notice": NOTICE, "found": told}
            write_json(out / RECORD, record)
            work.remove()
        for note in found.notes:
            _say(f"note: {note}")
        _say(f"{out}: {told['people']} people, {told['segments']} segments")
        return told

    def found(
        self, recording: Path, lengths: TrackLengths, out: Path, name: str, work: Work
    ) -> tuple[Analysis, list[Block]]:
        """What is found in a recording, and its blocks; only the manifest is written.

        Args:
            recording: a video or sound file.
            lengths: its tracks.
            out: folder that the manifest lies in.
            name: of the recording in ids, speakers and groups.
            work: what was done before.

        Raises:
            EmollamaError: see `analyse`.
        """
        options, session, values = self.options, self.session, self.values
        blocks: list[Block] = []
        with recorded("minutes read") as advance:
            advance(0, lengths.end)
            for block in read_blocks(recording, lengths, Tools.of(lengths), work):
                blocks.append(block)
                advance(block.end, lengths.end)
        if all(block.picture is None and block.voice is None for block in blocks):
            raise MediaError(f"{recording}: nothing in it can be decoded", "unreadable")
        said = Said()
        if options.transcribe and lengths.sound is not None:
            said = hear(recording, blocks, lambda: self.transcriber, work)
        found = find_people(blocks, lengths.end, options.people)
        segments = cut_segments(
            found.people, found.turns, said.words, found.cuts, lengths.end, name
        )
        manifest = segment_samples(
            segments, recording, out, name, session.labels, options.transcribe
        )
        asker = Asker(session, manifest, work)
        with recorded("minutes of segments looked at") as advance:
            moments = asker.look(segments, advance)
        with recorded("minutes of segments answered") as advance:
            asked = Asked(options.reasons, options.coverage)
            answers, shared = told_once(asker.answer(segments, moments, asked, advance))
        timelines = found.timelines
        if values is not None:
            with recorded("minutes of values") as advance:
                other = Asker(values, manifest, work, ROLE)
                timelines = add_values(timelines, other, segments, advance)
        write_samples(manifest)
        notes = [
            *shared, *_notes(lengths), *_of_blocks(blocks), *said.notes,
            *found.notes, *_of_norms(session), *_of_listening(answers),
        ]  # fmt: skip
        analysis = Analysis(
            recording=recording, duration=lengths.end, size=picture_shape(recording, lengths),
            people=tuple(found.people), turns=tuple(found.turns), cuts=tuple(found.cuts),
            segments=tuple(segments), answers=tuple(answers), timelines=timelines,
            labels=session.labels, model=session.name, language=said.language,
            coverage=options.coverage, notes=tuple(dict.fromkeys(notes)),
        )  # fmt: skip
        return analysis, blocks


def tracks_of(recording: Path) -> TrackLengths:
    """The tracks of a recording.

    Raises:
        MediaError: it is a picture, has neither picture nor sound, or cannot be read, or a manifest
            cannot name it.
    """
    try:
        str(recording.absolute()).encode("utf-8")
    except UnicodeEncodeError as error:
        raise MediaError(
            f"{str(recording)!a}: its name is not Unicode, so that no manifest can hold it; "
            "rename it",
            "unreadable",
        ) from error
    if is_still(recording):
        raise MediaError(
            f"{recording}: is a picture or a folder, no recording; ask about it with `emollama "
            "predict`",
            "no streams",
        )
    lengths = track_lengths(recording)
    if lengths.picture is None and lengths.sound is None:
        raise MediaError(f"{recording}: holds neither picture nor sound", "no streams")
    return lengths


def picture_shape(recording: Path, lengths: TrackLengths) -> tuple[int, int] | None:
    """Width and height of the upright picture in pixels; None without one that can be decoded."""
    if lengths.picture is None:
        return None
    start = lengths.picture[0]
    try:
        clip = decode_clip(
            recording, start=start, end=start + 1, opening=True, max_side=None, want_audio=False
        )
    except MediaError:  # which the notes of the first block tell
        return None
    if clip.frames is None:
        return None
    height, width = clip.frames.images.shape[1:3]
    return width, height


def _about(lengths: TrackLengths) -> str:
    kinds = {"picture": lengths.picture, "sound": lengths.sound}
    what = " and ".join(name for name, track in kinds.items() if track is not None)
    return f"{clock(lengths.end)} of {what}, read in blocks; a run that ends early can be resumed"


def _notes(lengths: TrackLengths) -> list[str]:
    """Remarks about the file."""
    notes = []
    end = lengths.end
    if lengths.stated is not None and end < lengths.stated - _SHORTFALL:
        notes.append(
            f"the file breaks off at {clock(end)} of {clock(lengths.stated)}; what it has was read"
        )
    if lengths.picture is None:
        notes.append("no picture: people are told apart by their voices alone")
    if lengths.sound is None:
        notes.append("no sound: nobody is heard")
    if lengths.picture is not None and lengths.sound is not None:
        seen, heard = lengths.picture[1], lengths.sound[1]
        if abs(seen - heard) > _SHORTFALL:
            notes.append(f"the picture ends at {clock(seen)}, the sound at {clock(heard)}")
    return notes


def _of_blocks(blocks: Sequence[Block]) -> list[str]:
    """Remarks about stretches that cannot be decoded, not all of a file that is full of them."""
    notes = [note for block in blocks for note in block.notes]
    more = len(notes) - _MOST_NOTES
    return notes if more <= 1 else [*notes[:_MOST_NOTES], f"{more} more remarks of this kind"]


def _of_norms(session: Session) -> list[str]:
    if session.artefact.prior is not None:
        return []
    return [
        f"model '{session.name}' was not trained with `standardise: person`: its answers are "
        "without the norm of each person"
    ]


def _of_listening(answers: Sequence[SegmentAnswer]) -> list[str]:
    silent = sum(answer.label is None and answer.error is None for answer in answers)
    return [f"segments without a label: {silent} ({LISTENS})"] if silent else []


def _summary(found: Analysis) -> dict[str, Any]:
    return {
        "minutes": round(found.duration / 60, 2),
        "people": len(found.people),
        "minutes_of_speech": round(sum(t.end - t.start for t in found.turns) / 60, 2),
        "segments": len(found.segments),
        "answered": sum(answer.label is not None for answer in found.answers),
        "language": None if found.language is None else found.language.code,
        "notes": "; ".join(found.notes),
    }


def _read_record(out: Path) -> dict[str, Any]:
    from emollama.base.files import read_json

    return dict(read_json(out / RECORD)["found"])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

"""A clip described by hand, with all that is awkward: gaps, two faces, words like markup."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from emollama.demo.source import Source
from emollama.demo.visit import Visit
from emollama.encoders.expression import CLASSES
from emollama.encoders.table import parse_encoder
from emollama.llm.configuration import StreamConfig
from emollama.media.cutting import Box
from emollama.media.transcript import Phrase
from emollama.probe.emotions import FACE_UNITS
from emollama.probe.faces import FacePainter
from emollama.probe.identity import make_identity
from emollama.probe.render import write_film
from emollama.serving.decoders import require_within
from emollama.serving.settings import Settings
from emollama.session import ClipView, Measurement, Observation, Peak, Session, Timeline
from tests.media.vowels import vowels
from tests.session.made import tiny_artefact

NASTY = "<script>alert(1)</script> --> & ${1+1} {{2+2}}"


def observation() -> Observation:
    """Two seconds: four looks at a face, of which one finds none; a voice with a pause."""
    rows = np.full((4, len(CLASSES)), 0.05)
    rows[:, CLASSES.index("happy")] = 0.7
    rows[1] = np.nan
    pitch = np.array([120.0, 130.0, np.nan, 110.0])
    image = np.full((60, 80, 3), 90, np.uint8)
    expression = dict(zip(CLASSES, rows[0].tolist(), strict=True))
    return Observation(
        2.0, {}, (Phrase(0.2, 0.9, "Well."), Phrase(1.0, 1.8, NASTY)),
        Peak(0.25, image, (20.0, 10.0, 50.0, 55.0), expression, 2),
        Timeline(np.array([0.25, 0.75, 1.25, 1.75]), rows, CLASSES,
                 np.array([0.3, 0.8, 1.3, 1.8]), np.array([-20.0, -25.0, -60.0, -22.0]), pitch),
        (Measurement(0.0, 0.5, "face", "face looks happy"),
         Measurement(0.5, 2.0, "voice", "quieter")),
        ("2 faces at once, e.g. at 0.2 s; the left one is read, the largest and most certain",),
    )  # fmt: skip


def look(text: str | None = NASTY, given: bool = True) -> ClipView:
    """A look without any model's tracks."""
    source = "given" if given else "heard"
    seen = observation()
    return ClipView(seen, {}, text, source if text else None, present=("voice", "face", "words"),
                clues={"voice": NASTY}, notes=seen.notes)  # fmt: skip


def visit() -> Visit:
    """A visit whose clip is called by a name that looks like markup."""
    return Visit(Source(Path("clip.mp4"), "<b>clip</b>.mp4"), look())


def seeing(folder: Path) -> Path:
    """A tiny artefact that goes by the face too."""
    encoder = parse_encoder("expression+frames=8")
    face = StreamConfig("expression", "face", encoder.key, width=encoder.width,
                        fingerprint=encoder.fingerprint)  # fmt: skip
    return tiny_artefact(folder, [face])


def faces(path: Path, *people: int, sound: bool = True) -> Path:
    """Two seconds of drawn people side by side, with or without vowels."""
    rate, happy = 16000, FACE_UNITS["happy"]
    drawn = np.hstack([FacePainter(make_identity(number)).draw(happy) for number in people])
    whole = path if sound else path.with_suffix(".whole.mp4")
    write_film(whole, np.repeat(drawn[None], 50, 0), vowels(180, 2.0, rate), rate)
    if not sound:
        with av.open(str(whole)) as source, av.open(str(path), "w") as out:
            picture = source.streams.video[0]
            stream = out.add_stream_from_template(picture)
            for packet in source.demux(picture):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
    return path


class InProcess:
    """Reads clips as the decoders do, limits and all, without a process of its own."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.session, self.settings = session, settings

    def inspect(self, path: Path, start: float | None = None, end: float | None = None) -> None:
        require_within(path, self.settings, start, end)

    def watch(
        self,
        path: Path,
        transcribe: bool = True,
        start: float | None = None,
        end: float | None = None,
        view: Box | None = None,
    ) -> Observation:
        return self.session.observer.watch(path, start, end, transcribe, view=view)

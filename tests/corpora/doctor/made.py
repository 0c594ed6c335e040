"""A small corpus of real clips in which a fault of every kind can be planted, and checks that
misbehave on demand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from emollama.corpora.doctor.look import FACE, Check, FaceCheck, MediaCheck, View
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample, Targets, write_manifest
from emollama.probe.faces import FacePainter
from emollama.probe.identity import make_identity
from tests import warm

LABELS = LabelSet("three", ("happy", "sad", "calm"))
FPS, RATE = 10, 16_000


@cache
def face() -> np.ndarray:
    """A face that the detector finds, uint8 [224, 224, 3]."""
    return FacePainter(make_identity(4)).draw({})


def film(
    path: Path,
    pitch: float,
    *,
    seconds: float = 1.0,
    sound_seconds: float | None = None,
    picture: bool = True,
    sound: bool = True,
    level: float = 0.3,
    with_face: bool = True,
    codec: str = "aac",
) -> str:
    """Write a clip of a face (or of grey) and a tone of `pitch` Hz; its name below the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = face().copy() if with_face else np.full_like(face(), 90)
    # No two films are the same, with or without sound.
    image[:16, :112], image[:16, 112:] = round(pitch) % 256, round(pitch) // 256
    with av.open(str(path), "w") as out:
        # Both tracks are declared before anything is written: the header lists them.
        shown = heard = None
        if picture:
            shown = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
            shown.width = shown.height = 224
            shown.pix_fmt = "yuv420p"
            shown.gop_size = FPS
            shown.codec_context.thread_count = 1
        if sound:
            heard = out.add_stream(codec, rate=RATE, layout="mono")
        if shown is not None:
            for i in range(round(seconds * FPS)):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, FPS)
                out.mux(shown.encode(frame))
            out.mux(shown.encode(None))
        if heard is not None:
            t = np.arange(round((sound_seconds or seconds) * RATE)) / RATE
            tone = level * np.sin(2 * np.pi * pitch * t)
            numbers = np.round(tone * 32767).astype(np.int16)[None]
            for first in range(0, numbers.shape[1], 1024):
                piece = np.ascontiguousarray(numbers[:, first : first + 1024])
                block = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                block.sample_rate, block.pts = RATE, first
                block.time_base = Fraction(1, RATE)
                out.mux(heard.encode(block))
            out.mux(heard.encode(None))
    return path.name


class Corpus:
    """A manifest in the making: faultless clips of both splits, and whatever is added to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.samples: list[Sample] = []
        self.lines: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        for split in ("train", "test"):
            for i, label in enumerate(("happy", "sad", "calm") * 2):
                name = f"{split}-{i}"
                self.add(name, split, label, video=self.film(f"{name}.mp4"))

    @property
    def path(self) -> Path:
        """The manifest."""
        return self.folder / "manifest.jsonl"

    def film(self, name: str, **options: Any) -> str:
        """A clip with a tone of its own."""
        return film(self.folder / name, 150.0 + 7 * len(list(self.folder.iterdir())), **options)

    def add(
        self, name: str, split: str = "train", label: str | None = "happy", **fields: Any
    ) -> str:
        """Add a sample of a person of its own; its id."""
        fields = {"text": f"this is what {name} says", "group": f"group of {name}", **fields}
        targets = fields.pop("targets", Targets(emotion=label))
        self.samples.append(Sample(id=name, split=split, targets=targets, **fields))
        return name

    def write(self, labels: LabelSet = LABELS) -> Path:
        """The manifest, with the lines that are no samples at its end."""
        write_manifest(self.path, "made", labels, self.samples)
        with self.path.open("a") as out:
            out.writelines(f"{line}\n" for line in self.lines)
        return self.path


class Troubled(MediaCheck):
    """Dies, hangs or raises at clips of certain names."""

    def look(self, view: View) -> Any:
        name = str(view.job.video)
        if "segfault" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hangs" in name:
            time.sleep(600)
        if "raises" in name:
            raise RuntimeError("no [red]luck[/red]")
        return super().look(view)


class Slow(MediaCheck):
    """Takes a while, so that it can be interrupted."""

    def look(self, view: View) -> Any:
        time.sleep(0.1)
        return super().look(view)


def build_troubled(key: str) -> Check:
    return FaceCheck() if key == FACE else Troubled()


def build_slow(key: str) -> Check:
    return FaceCheck() if key == FACE else Slow()


def start(manifest: Path, out: Path) -> subprocess.Popen[str]:
    """A slow examination without faces in a process of its own, with its own process group."""
    return warm.Popen(
        [sys.executable, "-m", "tests.corpora.doctor.made", str(manifest), str(out)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


if __name__ == "__main__":
    from emollama.corpora.doctor import examine

    done = examine(
        Path(sys.argv[1]), Path(sys.argv[2]), faces=False, workers=2, build=build_slow
    )  # fmt: skip
    print(done.looked, done.kept)

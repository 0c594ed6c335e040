"""A corpus of real files that cost nothing, encoders that misbehave on demand, and a run of
extraction in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emollama.encoders.base import Encoder, FeatureTrack
from emollama.encoders.table import parse_encoder
from emollama.manifest.channels import Channel
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Manifest, Sample, read_manifest, write_manifest
from emollama.media.clip import Clip
from tests import warm
from tests.media.vowels import vowels


def voice(path: Path, f0: float, seconds: float = 0.6) -> None:
    """A wav of vowels of about `f0` Hz; 0 is silence."""
    write_wav(path, vowels(f0, seconds))


def write_wav(path: Path, samples: np.ndarray) -> None:
    """A wav of float samples [n] in -1..1 at 16 kHz."""
    sound = (32_767 * samples).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(sound.tobytes())


def corpus(folder: Path, clips: int) -> Manifest:
    """`clips` wavs of different pitch, named clip-0000 and on."""
    (folder / "wav").mkdir(parents=True)
    samples = []
    for i in range(clips):
        name = f"wav/clip-{i:04d}.wav"
        voice(folder / name, 80.0 + 2 * i % 170 + 0.01 * i)
        samples.append(Sample(id=f"clip-{i:04d}", audio=name))
    return manifest(folder, samples)


def manifest(folder: Path, samples: Sequence[Sample]) -> Manifest:
    """Written and read back."""
    path = folder / "manifest.jsonl"
    write_manifest(path, "made", get_label_set("mer2023"), samples)
    return read_manifest(path)


class Troubled:
    """Mean level of the clip; dies, raises, hangs or gives NaN at certain lengths of sound."""

    channel: Channel = "voice"
    key, width, frames = "troubled", 2, 0
    columns: tuple[str, ...] = ("level", "seconds")
    fingerprint = "1"

    def encode(self, clips: Sequence[Clip]) -> list[FeatureTrack | None]:
        return [self._one(clip) for clip in clips]

    def _one(self, clip: Clip) -> FeatureTrack | None:
        tenths = round(10 * clip.duration)
        if tenths == 11:
            os.kill(os.getpid(), signal.SIGSEGV)
        if tenths == 12:
            raise RuntimeError("no [red]luck[/red]")
        if tenths == 13:
            time.sleep(600)
        assert clip.audio is not None
        value = float("nan") if tenths == 14 else float(np.abs(clip.audio).mean())
        return FeatureTrack(np.array([[value, clip.duration]], np.float32), np.zeros(1, np.float32))


class Letters:
    """Length of the subtitle; None without one."""

    channel: Channel = "words"
    key, width, frames = "letters", 1, 0
    columns: tuple[str, ...] = ()
    fingerprint = "1"

    def encode(self, clips: Sequence[Clip]) -> list[FeatureTrack | None]:
        return [
            FeatureTrack(np.array([[len(clip.text)]], np.float32), np.zeros(1, np.float32))
            if clip.text
            else None
            for clip in clips
        ]


def build(key: str) -> Encoder:
    """What workers build encoders with."""
    made: dict[str, Encoder] = {Troubled.key: Troubled(), Letters.key: Letters()}
    return made[key] if key in made else parse_encoder(key)


def start(manifest_path: Path, store: Path, *options: str, **env: str) -> subprocess.Popen[str]:
    """Extract prosody in a process of its own, which leads its own process group."""
    return warm.Popen(
        [sys.executable, "-m", "tests.features.made", str(manifest_path), str(store), *options],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for `start` to end well; its stdout."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


if __name__ == "__main__":
    from emollama.features.extract import extract
    from emollama.workers.shares import shard_of

    report = extract(
        read_manifest(Path(sys.argv[1])),
        [parse_encoder("prosody")],
        Path(sys.argv[2]),
        workers=int(sys.argv[3]),
        shard_size=int(sys.argv[4]),
        share=shard_of(sys.argv[5]) if len(sys.argv) > 5 else None,
    )
    print(report.computed, report.kept)

"""The directions in which emotion moves a voice vector, found on people of Java-SED.

python -m benchmarks.recordings.voice_space ../shared/data/javased
    --out emollama/recording/voice_space.json

Each person's vectors are taken from that person's own mean; what is left is emotion, sentence and
chance, and its first two principal directions are kept. Person 08 is left out: scenes with them
are the check.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.files import write_json
from emollama.media.clip import SAMPLE_RATE
from emollama.media.decode import decode_clip
from emollama.recording.voice_groups import unit
from emollama.recording.voices import Ears, VoiceBlock, with_vectors

DIRECTIONS = 2
LEFT_OUT = ("08",)
_LENGTH, _STEP = 1.6, 0.4  # seconds of a window, and between two


def utterance_vector(path: Path, ears: Ears) -> np.ndarray | None:
    """The unit vector [256] of a clip, from its first to its last speech; None without any."""
    audio = decode_clip(path, want_video=False).audio
    spans = ears.speech.spans(audio) if audio is not None else []
    if audio is None or not spans:
        return None
    sound = audio[int(spans[0].start * SAMPLE_RATE) : int(spans[-1].end * SAMPLE_RATE)]
    seconds = len(sound) / SAMPLE_RATE
    length = min(seconds, _LENGTH)
    count = 1 + int(np.ceil((seconds - length) / _STEP))
    firsts = np.linspace(0, seconds - length, count)
    nothing = np.zeros(0, np.float32)
    block = VoiceBlock(
        0.0, seconds, nothing, np.stack([firsts, firsts + length], 1), nothing, nothing
    )
    vectors = with_vectors(block, sound, ears).vectors
    assert vectors is not None
    return unit(vectors.mean(0))


def voice_space(folder: Path) -> dict[str, list[float] | list[list[float]]]:
    """`middle` [256], the mean of people's means, and `directions` [2, 256], orthonormal.

    Raises:
        EmollamaError: the folder is not Java-SED's.
    """
    table = folder / "manifest.csv"
    if not table.is_file():
        raise EmollamaError(f"{table}: is missing; the folder of Java-SED was expected")
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["actor"] not in LEFT_OUT]
    ears = Ears.from_assets()
    people: dict[str, list[np.ndarray]] = {}
    for row in rows:
        vector = utterance_vector(folder / row["video"], ears)
        if vector is not None:
            people.setdefault(row["actor"], []).append(vector)
    means = {person: np.mean(vectors, axis=0) for person, vectors in people.items()}
    moved = np.concatenate([np.array(people[p]) - means[p] for p in sorted(people)])
    found = np.linalg.svd(moved.astype(np.float64), full_matrices=False)[2][:DIRECTIONS]
    found = found * np.where(found.sum(1, keepdims=True) < 0, -1, 1)
    middle = np.mean([means[person] for person in sorted(means)], axis=0, dtype=np.float64)
    return {"middle": middle.round(6).tolist(), "directions": found.round(6).tolist()}


@one_line_errors
def main() -> None:
    """Write the file that `emollama.recording.voice_groups` reads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of Java-SED, with its manifest.csv")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    arguments = parser.parse_args()
    write_json(arguments.out, voice_space(arguments.folder))


if __name__ == "__main__":
    main()

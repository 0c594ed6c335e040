"""What is a voice, what is a face: how often real ones are missed, and others taken for them.

python -m benchmarks.presence --voices FOLDER [FOLDER ...] --faces FOLDER [--drawn FOLDER]
    [--clips 50] [--seed 0]

Each folder is searched for media files. All voices are heard as they are, and `--clips` of each
folder quiet, in noise and cut to half a second. Sounds in which nobody speaks and pictures without
a face are made here; `--clips` of the videos in `--faces` are looked at as they are, blurred,
covered, cut off below the chin and from afar.
`--drawn` is a folder of probe clips, all of which are looked at and listened to.
A voice is judged by its seconds of speech, a face by the share of eight frames in which it is found
(`emollama.media.presence`).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

from benchmarks.measure import show
from benchmarks.without_people import PATTERNS, RATE, SOUNDS, in_noise, pattern, sound
from emollama.encoders.crops import FaceFinder
from emollama.media.decode import decode_clip
from emollama.media.faces import Face
from emollama.media.presence import LEAST_FACES, LEAST_SPEECH, speech_seconds
from emollama.media.speech import SpeechActivity

SPEECH = sorted({0.05, 0.1, LEAST_SPEECH, 0.3, 0.5, 1.0})
FACES = sorted({1 / 8, 2 / 8, LEAST_FACES, 4 / 8, 6 / 8, 1.0})
FRAMES = 8
MEDIA = (".mp4", ".flac", ".wav")
FAR = (0.5, 0.25, 0.12)  # sides of the picture to which a clip is scaled down on a grey wall
MADE = 40  # sounds and pictures of each kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices", type=Path, nargs="+", default=[])
    parser.add_argument("--faces", type=Path, default=None)
    parser.add_argument("--drawn", type=Path, default=None)
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    heard = voices(args.voices, args.drawn, args.clips, args.seed)
    table("seconds of speech", heard, SPEECH, "missed")
    table("seconds of speech", others(args.seed), SPEECH, "taken for a voice")
    seen, unseen, far = faces(args.faces, args.drawn, args.clips, args.seed)
    table("share of frames", seen, FACES, "missed")
    table("share of frames", unseen, FACES, "taken for a face")
    table("share of frames", far, FACES, "missed")


def table(what: str, found: Mapping[str, list[float]], limits: Sequence[float], error: str) -> None:
    """One row a kind: the share of its clips on the wrong side of each limit."""
    rows = []
    sums = {**found, "all": [v for values in found.values() for v in values]}
    for kind, values in sums.items():
        row: dict[str, object] = {"kind": kind, "clips": len(values)}
        for limit in limits:
            reached = np.mean(np.array(values) >= limit - 1e-9) if values else np.nan
            wrong = 1 - reached if error == "missed" else reached
            row[f"{limit:.3g}"] = f"{wrong:.3f}"
        rows.append(row)
    show(f"{error}, by {what} required", rows)


def drawn(folder: Path, clips: int | None, seed: int) -> list[Path]:
    """Media files of a folder and those below it, in the order of a draw."""
    found = sorted(p for p in folder.rglob("*") if p.suffix in MEDIA)
    if clips is None or clips >= len(found):
        return found
    chosen = np.random.default_rng(seed).choice(len(found), clips, replace=False)
    return [found[i] for i in sorted(chosen)]


def voices(
    folders: Sequence[Path], probe: Path | None, clips: int, seed: int
) -> dict[str, list[float]]:
    """Seconds of speech by corpus and condition."""
    activity = SpeechActivity.from_asset()
    found: dict[str, list[float]] = defaultdict(list)
    draw = np.random.default_rng(seed)
    for folder in folders:
        name = folder.resolve().name
        chosen = set(drawn(folder, clips, seed))
        for path in drawn(folder, None, seed):
            audio = decode_clip(path, want_video=False).audio
            if audio is None:
                continue
            found[name].append(speech_seconds(activity, audio))
            if path not in chosen:
                continue
            quiet = 1e-2 * audio / np.abs(audio).max()
            found[f"{name}, peak at -40 dB"].append(speech_seconds(activity, quiet))
            noisy = in_noise(audio, 5, draw)
            found[f"{name}, noise 5 dB below"].append(speech_seconds(activity, noisy))
            loudest = int(np.convolve(audio**2, np.ones(RATE // 2), "same").argmax())
            half = audio[max(0, loudest - RATE // 4) :][: RATE // 2]
            found[f"{name}, half a second"].append(speech_seconds(activity, half))
    for path in drawn(probe, None, seed) if probe else []:
        audio = decode_clip(path, want_video=False).audio
        assert audio is not None
        found["probe (espeak-ng)"].append(speech_seconds(activity, audio))
    return found


def others(seed: int) -> dict[str, list[float]]:
    """Seconds of "speech" in sounds in which nobody speaks."""
    activity = SpeechActivity.from_asset()
    draw = np.random.default_rng(seed)
    made = {k: [speech_seconds(activity, sound(k, draw)) for _ in range(MADE)] for k in SOUNDS}
    return {"silence": [speech_seconds(activity, np.zeros(3 * RATE, np.float32))], **made}


def faces(
    folder: Path | None, probe: Path | None, clips: int, seed: int
) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, list[float]]]:
    """Share of frames with a face, by kind: of faces, of pictures without, of faces far away."""
    finder = FaceFinder()
    seen: dict[str, list[float]] = defaultdict(list)
    unseen: dict[str, list[float]] = defaultdict(list)
    far: dict[str, list[float]] = defaultdict(list)

    def share(images: np.ndarray) -> float:
        return float(np.mean([face is not None for face in finder.find(images)]))

    for path in drawn(folder, clips, seed) if folder else []:
        frames = decode_clip(path, frames=FRAMES, want_audio=False).frames
        assert frames is not None
        images, found = frames.images, finder.find(frames.images)
        seen[folder.resolve().name if folder else ""].append(
            float(np.mean([face is not None for face in found]))
        )
        face = next((f for f in found if f is not None), None)
        if face is None:
            continue
        unseen["face blurred away"].append(share(blurred(images, face)))
        unseen["face covered"].append(share(covered(images, face)))
        unseen["below the chin"].append(share(images[:, min(int(face.box[3]) + 5, 250) :]))
        for side in FAR:
            far[f"picture scaled to {side:g}"].append(share(smaller(images, side)))
    for path in drawn(probe, None, seed) if probe else []:
        frames = decode_clip(path, frames=FRAMES, want_audio=False).frames
        assert frames is not None
        seen["probe (drawn)"].append(share(frames.images))
    draw = np.random.default_rng(seed)
    for kind in PATTERNS:
        unseen[kind] = [share(pattern(kind, FRAMES, draw)) for _ in range(MADE)]
    return seen, unseen, far


def blurred(images: np.ndarray, face: Face) -> np.ndarray:
    """Pictures blurred by a third of the face's width."""
    radius = (face.box[2] - face.box[0]) / 3
    return np.array(
        [np.asarray(Image.fromarray(i).filter(ImageFilter.GaussianBlur(radius))) for i in images]
    )


def covered(images: np.ndarray, face: Face) -> np.ndarray:
    """Pictures with a grey square over the face and a third of its size around."""
    left, top, right, bottom = face.box
    more_x, more_y = (right - left) / 3, (bottom - top) / 3
    made = images.copy()
    rows = slice(max(0, int(top - more_y)), int(bottom + more_y))
    made[:, rows, max(0, int(left - more_x)) : int(right + more_x)] = 128
    return made


def smaller(images: np.ndarray, side: float) -> np.ndarray:
    """Pictures scaled down, in the middle of a grey one of the old size."""
    height, width = images.shape[1:3]
    made = np.full_like(images, 128)
    size = round(width * side), round(height * side)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    for new, old in zip(made, images, strict=True):
        new[top : top + size[1], left : left + size[0]] = Image.fromarray(old).resize(size)
    return made


if __name__ == "__main__":
    main()

"""Films of Java-SED with the voice of another take of the same person, and their manifest.

python -m benchmarks.reasons.swapped JAVASED OUT

Each clip keeps its picture and gets the sound of the same person's same sentence in another
emotion, drawn by the clip's name: a real face against a real voice, both acted. Streams are copied,
not coded again. OUT holds the swapped films, and a manifest of them (split "swapped") and of the
clips as they are (split "whole"); `truth` says which emotion each channel shows. Which emotion is
right in a swapped clip is not defined: its label is the voice's, for commands that need one. OUT
holds people's faces and voices and stays outside the repository.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import av

from emollama.base.errors import EmollamaError, one_line_errors
from emollama.corpora.readers.javased import EMOTIONS, misfit
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets, write_manifest

WHOLE, SWAPPED = "whole", "swapped"


def partner(name: str) -> str:
    """The take of the same person and sentence in another emotion that a clip gets the voice of."""
    before, emotion, after = re.split(r"(?<=-)(\d{2})(?=_)", name)
    others = [code for code in EMOTIONS if code != emotion]
    return f"{before}{random.Random(name).choice(others)}{after}"


def swap(picture: Path, sound: Path, out: Path) -> None:
    """Write the picture of one film with the sound of another, streams copied."""
    with (
        av.open(str(picture)) as seen,
        av.open(str(sound)) as heard,
        av.open(str(out), "w") as film,
    ):
        pairs = [
            (source, source.streams.get({kind: 0})[0])
            for source, kind in ((seen, "video"), (heard, "audio"))
        ]
        targets = [film.add_stream_from_template(stream) for _, stream in pairs]
        for (source, stream), target in zip(pairs, targets, strict=True):
            for packet in source.demux(stream):
                if packet.dts is not None:
                    packet.stream = target
                    film.mux(packet)


def make(root: Path, out: Path) -> Path:
    """Write swapped films and the manifest; returns the manifest.

    Raises:
        EmollamaError: `root` holds no Java-SED clips, or `out` lies in it.
    """
    clips = {p.stem: p for p in sorted(root.rglob("*.mp4")) if misfit(p.stem) is None}
    if not clips:
        raise EmollamaError(f"{root}: holds no Java-SED clips: mp4 named like 08-02-06_01.mp4")
    if out.resolve().is_relative_to(root.resolve()):
        raise EmollamaError(f"{out}: lies in the corpus; give another folder")
    (out / SWAPPED).mkdir(parents=True, exist_ok=True)
    samples = []
    for name, path in clips.items():
        samples.append(_sample(name, path, name, WHOLE))
        if (other := partner(name)) in clips:
            film = out / SWAPPED / f"{name}-{other}.mp4"
            if not film.exists():
                swap(path, clips[other], film)
            samples.append(_sample(name, film, other, SWAPPED))
    manifest = out / "manifest.jsonl"
    write_manifest(manifest, "javased-swapped", get_label_set("javased"), samples)
    return manifest


def _sample(seen: str, film: Path, heard: str, split: str) -> Sample:
    """A film whose face is of one take, and whose voice is of one, the same or another."""
    face, voice = (EMOTIONS[name.partition("_")[0].split("-")[2]] for name in (seen, heard))
    actor = f"actor-{seen[:2]}"
    return Sample(
        id=film.stem, video=str(film.resolve()), speaker=actor, group=actor, split=split,
        targets=Targets(emotion=voice), truth={"voice": voice, "face": face},
    )  # fmt: skip


@one_line_errors
def main() -> None:
    """Entry point."""
    if len(sys.argv) != 3:
        raise EmollamaError("python -m benchmarks.reasons.swapped JAVASED OUT")
    print(make(*map(Path, sys.argv[1:3])))


if __name__ == "__main__":
    main()

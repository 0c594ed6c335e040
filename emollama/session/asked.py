"""What a model is asked about: files, the clips of folders, and the samples of manifests."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.base.paths import need_clip
from emollama.manifest.paths import need_manifest
from emollama.media.cutting import Box

_MANIFEST = ".jsonl"


@dataclass(frozen=True)
class AskedClip:
    """A clip that is asked about.

    Attributes:
        name: as it is shown: the file, or the id of a manifest's sample.
        video: the file, of sound or pictures too; None for a text alone.
        audio: the file of the voice, where it is another one.
        start, end: seconds in the files.
        text: what is said; None to transcribe it.
        view: the part of the picture to look at; None for all of it.
        mute: whether the sound is of others, and is left out.
    """

    name: str
    video: Path | None
    audio: Path | None = None
    start: float | None = None
    end: float | None = None
    text: str | None = None
    view: Box | None = None
    mute: bool = False

    @property
    def key(self) -> str:
        """Equal for the same files, unchanged, with the same span, view and words."""
        facts: list[object] = [self.name, self.start, self.end, self.text]
        if self.view is not None:  # keys made before clips had one stay valid
            facts.append(list(self.view))
        if self.mute:
            facts.append("mute")
        for path in (self.video, self.audio):
            try:
                status = None if path is None else path.stat()
            except (OSError, ValueError):  # not there, or no name that a file can have
                status = None
            at = None if path is None else str(path.resolve())
            facts.append([at, status and status.st_size, status and status.st_mtime_ns])
        return hashlib.sha256(json.dumps(facts).encode("utf-8", "replace")).hexdigest()[:16]


def asked_clips(
    paths: Iterable[Path],
    text: str | None = None,
    start: float | None = None,
    end: float | None = None,
) -> list[AskedClip]:
    """The clips of files, folders and manifests, in their order.

    Args:
        paths: media files; folders, of which all clips are taken; manifests (.jsonl).
        text: what is said in the only one, in place of a manifest's text; "" for no words in any.
        start, end: the span of each file or of each in a folder; a manifest has its own.

    Raises:
        EmollamaError: a path does not exist, a folder holds no clip, a table is not a manifest, a
            span is given for a manifest, or a text for several clips.
    """
    found: list[AskedClip] = []
    for path in paths:
        try:
            folder, file = path.is_dir(), path.is_file()
        except (OSError, ValueError):  # no name that a file can have, which need_clip tells
            folder = file = False
        if folder:
            found += _of_folder(path, text, start, end)
        elif path.suffix.lower() == _MANIFEST and file:
            if start is not None or end is not None:
                raise EmollamaError(
                    f"{path}: is a manifest, whose samples have their own spans; leave out --start "
                    "and --end"
                )
            found += _of_manifest(path, text)
        else:
            need_manifest(path)
            need_clip(path)
            found.append(AskedClip(str(path), path, None, start, end, text))
    if text and len(found) > 1:  # an empty one, no words, may hold of all
        raise EmollamaError(
            f"--text is what is said in one clip, and {len(found)} are asked about; give a table "
            "of texts: --texts FILE.csv with the columns 'file' and 'text'"
        )
    return found


def _of_folder(
    folder: Path, text: str | None, start: float | None, end: float | None
) -> list[AskedClip]:
    from emollama.corpora.folder import clips_table

    found, table = [], clips_table(folder)
    for note in table.notes:
        print(f"note: {note}", file=sys.stderr)
    for where, (video, audio) in table.rows:
        files = [folder / name for name in (video, audio) if name]
        voice = files[1] if len(files) > 1 else None
        found.append(AskedClip(where, files[0], voice, start, end, text))
    return found


def _of_manifest(path: Path, text: str | None) -> list[AskedClip]:
    from emollama.manifest.sample import read_manifest

    manifest = read_manifest(path)
    found = []
    for sample in manifest.samples:
        files = [manifest.media(name) for name in (sample.video, sample.audio) if name]
        video, voice = (*files, None, None)[:2]
        words = sample.text if text is None else text
        found.append(
            AskedClip(
                sample.id, video, voice, sample.start, sample.end, words, sample.view, sample.mute
            )
        )
    return found

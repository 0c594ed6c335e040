"""Finds clips: the media files below a folder, or the samples of a manifest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from emollama.base.csv_rows import read_rows
from emollama.base.errors import EmollamaError
from emollama.base.paths import refuse_url
from emollama.corpora.readers.nce_list import read_sentences
from emollama.manifest.sample import read_manifest, require_name
from emollama.media.cutting import Box

VIDEO = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".flv", ".m4v", ".mpg")
SOUND = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac")


@dataclass(frozen=True)
class Source:
    """A clip as found.

    Attributes:
        id: its id everywhere.
        video, audio: its files; the voice is the video's if `audio` is None.
        start, end: seconds of a span, or None.
        text: transcript, if supplied.
        speaker: speaker, if supplied.
        face: who is seen, if supplied: the speaker where it is None.
        split: of the manifest, if any.
        view: part of the picture that shows the person, if a manifest says so.
        mute: whether the sound is of others, if a manifest says so.
        fault: why it is not a usable clip, whatever its content.
    """

    id: str
    video: Path | None
    audio: Path | None = None
    start: float | None = None
    end: float | None = None
    text: str | None = None
    speaker: str | None = None
    face: str | None = None
    split: str | None = None
    fault: str | None = None
    view: Box | None = None
    mute: bool = False


def find_clips(
    where: Path, transcripts: Path | None = None, speakers: Path | None = None
) -> list[Source]:
    """The clips of a folder, by name, or of a manifest, in its order.

    In a folder a clip's id is its path without the suffix, with folders joined by "_"; a sound file
    beside a video of the same name is its voice. A manifest's texts, speakers, faces and splits
    are used, its targets are not.

    Args:
        where: folder or `manifest.jsonl`.
        transcripts: CSV with `name` and `sentence`; its texts override a manifest's.
        speakers: CSV with `name` and `speaker`; likewise. A column `face` tells who is seen, where
            that is not who speaks; an empty cell: it is.

    Raises:
        EmollamaError: no such folder, no clip in it, or two clips of one name.
    """
    if where.suffix.lower() in (*VIDEO, *SOUND) and where.is_file():
        raise EmollamaError(f"{where}: is a single clip; give its folder, or a manifest")
    sentences = read_sentences(transcripts) if transcripts else {}
    found = list(_of_manifest(where) if where.is_file() else _of_folder(where))
    named = [clip for clip in found if clip.fault is None]
    if found and not named:
        raise EmollamaError(f"{where}: no file has a valid name; {found[0].fault}")
    if not found:
        raise EmollamaError(
            f"{where}: holds no clips (searched with its subfolders for files such as "
            f"{', '.join(VIDEO[:3])} or {SOUND[0]})"
        )
    names: dict[str, str] = {}
    faces: dict[str, str | None] = {}
    if speakers is not None:
        for row in read_rows(speakers, ("name", "speaker"), optional=("face",)):
            names[row.require("name")] = row.require("speaker")
            if "face" in row.cells:
                faces[row.require("name")] = row.get("face")
    for told, file in ((sentences, transcripts), (names, speakers)):
        if file is not None and not any(clip.id in told for clip in named):
            raise EmollamaError(
                f"{file}: names none of the clips in {where}; their ids look like '{named[0].id}'"
            )
    return [
        replace(clip, text=sentences.get(clip.id, clip.text),
                speaker=names.get(clip.id, clip.speaker), face=faces.get(clip.id, clip.face))
        for clip in found
    ]  # fmt: skip


def _of_manifest(path: Path) -> Iterator[Source]:
    manifest = read_manifest(path)
    for sample in manifest.samples:
        video, audio = (
            None if name is None else manifest.media(name) for name in (sample.video, sample.audio)
        )
        if video is None and audio is None:
            raise EmollamaError(f"{path}: '{sample.id}' has neither video nor audio")
        yield Source(
            sample.id, video, audio, sample.start, sample.end, sample.text, sample.speaker,
            sample.face, split=sample.split, view=sample.view, mute=sample.mute,
        )  # fmt: skip


def _of_folder(folder: Path) -> Iterator[Source]:
    if not folder.is_dir():
        refuse_url(folder)
        raise EmollamaError(f"{folder}: is neither a folder of clips nor a manifest")
    files: dict[str, dict[str, Path]] = {}
    # Files whose names no clip can have come first; they are told and counted as bad clips.
    for path in sorted(folder.rglob("*")):
        kind = "video" if path.suffix.lower() in VIDEO else "audio"
        if kind == "audio" and path.suffix.lower() not in SOUND:
            continue
        relative = path.relative_to(folder)
        # A link that leads nowhere is a clip that cannot be read, and is counted as one.
        if any(part.startswith(".") for part in relative.parts) or not (
            path.is_file() or (path.is_symlink() and not path.exists())
        ):
            continue
        name = "_".join(relative.with_suffix("").parts)
        try:
            require_name(name, _printed(relative))
        except EmollamaError as error:
            yield Source(_nameable(relative), None, fault=str(error))
            continue
        own = files.setdefault(name, {})
        if kind in own:
            raise EmollamaError(
                f"{path}: would get the same id '{name}' as {own[kind]}; rename one of them"
            )
        own[kind] = path
    for name in sorted(files):
        yield Source(name, files[name].get("video"), files[name].get("audio"))


def _printed(path: Path) -> str:
    """A path as text; undecodable bytes are shown as numbers."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _nameable(path: Path) -> str:
    """A substitute id for a file whose name is not a valid id, for messages."""
    mark = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    plain = "".join(c if c.isprintable() and c != "/" else "_" for c in str(path)[:80])
    return f"{plain}-{mark}"

"""What everybody is shown of a clip: one file, and the same file muted or with a blank picture.

A clip that is a whole MP4 film or a sound is shown as it is. One that is a span, a part of a
picture, two files, or of another format is written as a film of its own first. Muting leaves out
the sound and copies the pictures, blanking copies the sound and puts grey in place of the pictures:
what stays is the same, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from emollama.arena.configuration import Ablation
from emollama.arena.questions import Question
from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path
from emollama.manifest.sample import Manifest, Sample
from emollama.media.clip import SAMPLE_RATE, MediaError
from emollama.media.container import audio_stream, describe, open_media, video_stream
from emollama.media.decode import decode_clip
from emollama.media.pictures import is_still
from emollama.media.suffixes import SOUND

FOLDER = "clips"
"""Folder of the films that are written, inside the output."""
FPS = 12
"""Pictures a second of a span that is written as a film."""
_GREY, _SOUND_FRAME = 127, 1024
_SIDE, _BLANK_FPS = 224, 10  # of the blank picture where a film has none to measure
_COPIED = frozenset({"h264", "hevc", "mpeg4", "av1", "vp9", "aac", "mp3", "opus"})
"""Formats of tracks that are copied from one MP4 film into another."""
_H264 = {"crf": "18", "preset": "veryfast"}


@dataclass(frozen=True)
class Stimulus:
    """What is shown: a media file, None where nothing is left of it, and what is said.

    `words` is as in `Question`.
    """

    file: Path | None
    words: str | None

    @property
    def sound_only(self) -> bool:
        """Whether the file has no picture."""
        return self.file is not None and self.file.suffix.lower() in SOUND


class Stimuli:
    """The stimuli of a manifest's clips.

    Args:
        manifest: of the clips.
        folder: to write films into; those that are there are taken.
    """

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        self.manifest, self.folder = manifest, folder

    def of(self, question: Question) -> Stimulus:
        """The stimulus of a question.

        Raises:
            EmollamaError: the clip cannot be read.
        """
        sample = question.sample
        if sample.video is None and sample.audio is None:
            return Stimulus(None, question.words)
        return Stimulus(self._altered(sample, question.ablation), question.words)

    def identity(self, sample: Sample) -> str:
        """Changes where the clip does: its files, span, view or words."""
        facts: list[object] = [
            sample.model_dump(mode="json", exclude={"targets", "truth", "split"})
        ]
        for name in (sample.video, sample.audio):
            path = None if name is None else self.manifest.media(name)
            if path is not None and path.exists():
                facts.append([path.stat().st_size, path.stat().st_mtime_ns])
        return hashlib.sha256(json.dumps(facts).encode("utf-8", "replace")).hexdigest()[:16]

    def _altered(self, sample: Sample, ablation: Ablation | None) -> Path | None:
        whole = self._whole(sample)
        if ablation not in ("mute", "blank"):
            return whole
        if whole.suffix.lower() in SOUND:
            return None if ablation == "mute" else whole
        if ablation == "mute" and not _has_picture(whole):
            return None
        path = self._path(sample, ablation)
        if not path.is_file():
            with atomic_path(path) as temporary:
                write_altered(whole, temporary, ablation)
        return path

    def _path(self, sample: Sample, what: str, suffix: str = ".mp4") -> Path:
        return self.folder / f"{self.identity(sample)}-{what}{suffix}"

    def _whole(self, sample: Sample) -> Path:
        """The clip as one file without further conditions."""
        names = [name for name in (sample.video, sample.audio) if name is not None]
        files = [self.manifest.media(name) for name in dict.fromkeys(names)]
        uncut = sample.start is None and sample.end is None and sample.view is None
        if len(files) == 1 and uncut and not sample.mute and _is_shown(files[0]):
            return files[0]
        path = self._path(sample, "whole")
        if not path.is_file():
            with atomic_path(path) as temporary:
                write_span(sample, self.manifest, temporary)
        return path


def _is_shown(file: Path) -> bool:
    """Whether a file is shown as it is: a sound, or a film whose tracks can be copied."""
    if is_still(file) or not file.is_file():
        return False
    if file.suffix.lower() in SOUND:
        return True
    with open_media(file) as film:
        tracks = [track for track in (video_stream(film, file), audio_stream(film)) if track]
        return "mp4" in film.format.name and all(
            track.codec_context.name in _COPIED for track in tracks
        )


def _has_picture(file: Path) -> bool:
    with open_media(file) as film:
        return video_stream(film, file) is not None


def write_span(sample: Sample, manifest: Manifest, path: Path) -> None:
    """Write the span and view of a clip, from one file or two, as a film.

    Raises:
        MediaError: it cannot be read.
    """
    video, audio = (
        None if name is None else manifest.media(name) for name in (sample.video, sample.audio)
    )
    span = {"start": sample.start, "end": sample.end, "fps": sample.fps}
    heard = decode_clip(video, audio, want_video=False, want_audio=not sample.mute, **span)  # type: ignore[arg-type]
    images = None
    if video is not None and video.suffix.lower() not in SOUND:
        count = max(1, round(heard.duration * FPS))
        seen = decode_clip(video, frames=count, want_audio=False, view=sample.view, **span)  # type: ignore[arg-type]
        images = None if seen.frames is None else seen.frames.images
    with av.open(str(path), "w", format="mp4") as container:
        # Both tracks stand in the header, which the first packet writes.
        seen_in = None if images is None else _picture_track(container, images.shape[1:3], FPS)
        heard_in = None if heard.audio is None else _sound_track(container)
        if images is not None and seen_in is not None:
            _write_pictures(container, seen_in, iter(images))
        if heard.audio is not None and heard_in is not None:
            _write_sound(container, heard_in, heard.audio)


def write_altered(source: Path, path: Path, ablation: Ablation) -> None:
    """Write a film without its sound ("mute"), or with grey in place of its pictures ("blank").

    Raises:
        MediaError: the film cannot be read.
    """
    try:
        with open_media(source) as film, av.open(str(path), "w", format="mp4") as container:
            picture, sound = video_stream(film, source), audio_stream(film)
            kept = picture if ablation == "mute" else sound
            made = None if kept is None else container.add_stream_from_template(kept)
            if ablation == "blank":
                seconds = float(film.duration or 0) / 1e6
                size = (_SIDE, _SIDE) if picture is None else (picture.height, picture.width)
                grey = np.full((*size, 3), _GREY, np.uint8)
                count = max(1, round(seconds * _BLANK_FPS))
                track = _picture_track(container, size, _BLANK_FPS)
                _write_pictures(container, track, (grey for _ in range(count)))
            if kept is not None and made is not None:
                for packet in _packets(film, kept.index):
                    packet.stream = made
                    container.mux(packet)
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(
            f"{source}: cannot be written anew for '{ablation}' ({describe(error)})", "unreadable"
        ) from error


def _packets(film: InputContainer, index: int) -> Iterator[av.Packet]:
    for packet in film.demux(film.streams[index]):
        if packet.dts is not None:
            yield packet


def _picture_track(container: OutputContainer, size: Sequence[int], fps: int) -> VideoStream:
    """A track for pictures of this height and width, or one pixel less where that is odd."""
    track = container.add_stream("libx264", rate=fps, options=_H264)
    track.height, track.width = (max(2, side // 2 * 2) for side in size)
    track.pix_fmt = "yuv420p"
    track.codec_context.thread_count = 1
    return track


def _write_pictures(
    container: OutputContainer, track: VideoStream, images: Iterator[np.ndarray]
) -> None:
    for image in images:
        cut = np.ascontiguousarray(image[: track.height, : track.width])
        container.mux(track.encode(av.VideoFrame.from_ndarray(cut, format="rgb24")))
    container.mux(track.encode())


def _sound_track(container: OutputContainer) -> AudioStream:
    return container.add_stream("aac", rate=SAMPLE_RATE, bit_rate=96_000, layout="mono")


def _write_sound(container: OutputContainer, track: AudioStream, sound: np.ndarray) -> None:
    for start in range(0, len(sound), _SOUND_FRAME):
        chunk = np.ascontiguousarray(sound[None, start : start + _SOUND_FRAME])
        frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        container.mux(track.encode(frame))
    container.mux(track.encode())


def need_clips(manifest: Manifest, samples: list[Sample]) -> None:
    """Refuse clips whose files are not there.

    Raises:
        EmollamaError: naming the first.
    """
    for sample in samples:
        for name in (sample.video, sample.audio):
            if name is not None and not manifest.media(name).exists():
                raise EmollamaError(
                    f"{manifest.path}: id '{sample.id}': {manifest.media(name)} does not exist"
                )

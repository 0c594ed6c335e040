"""A recording read block by block: what is seen and heard in each, kept in the work folder.

A block is decoded by itself, so memory holds two of them, however long the recording is, and what
is measured of it does not depend on where an analysis was interrupted.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from emollama.base.memory import give_back_freed_memory
from emollama.base.paths import need_file
from emollama.base.processors import processor_count
from emollama.media.clip import Clip, Frames, MediaError
from emollama.media.decode import decode_clip
from emollama.media.lengths import TrackLengths
from emollama.recording.parts import LIP_RATE, clock
from emollama.recording.picture import PictureBlock, PictureTools, read_picture, with_looks
from emollama.recording.voices import LEAD, Ears, VoiceBlock, read_voices, with_vectors
from emollama.recording.work import Arrays, Work

BLOCK = 30.0
"""Seconds that are decoded at once."""

AT_ONCE = 2
"""Blocks that are read at once."""

_SHORTEST = 1.0  # seconds: a shorter rest belongs to the block before it
_MAX_SIDE = 640  # pixels of a picture that faces and mouths are looked for in
_PICTURE, _VOICE, _ABOUT = "picture.", "voice.", "about"


@dataclass(frozen=True)
class Tools:
    """The networks that read a recording's picture and sound; None where it has none."""

    picture: PictureTools | None
    ears: Ears | None

    @classmethod
    def of(cls, lengths: TrackLengths) -> Tools:
        """Those that a recording with these tracks needs.

        Raises:
            EmollamaError: an asset is not here and cannot be fetched.
        """
        return cls(
            PictureTools.from_assets() if lengths.picture else None,
            Ears.from_assets() if lengths.sound else None,
        )


@dataclass(frozen=True)
class Block:
    """What was measured from `start` to `end`, in seconds of the recording.

    `picture` or `voice` is None where the recording has none there, or it cannot be decoded, which
    `notes` tell.
    """

    start: float
    end: float
    picture: PictureBlock | None
    voice: VoiceBlock | None
    notes: tuple[str, ...] = ()


def block_spans(seconds: float) -> list[tuple[float, float]]:
    """Start and end of the blocks of a recording."""
    count = max(1, math.ceil((seconds - _SHORTEST) / BLOCK))
    edges = [i * BLOCK for i in range(count)]
    return list(zip(edges, [*edges[1:], seconds], strict=True))


def read_blocks(path: Path, lengths: TrackLengths, tools: Tools, work: Work) -> Iterator[Block]:
    """The blocks of a recording in order; of those that were read before, only what is not kept.

    `AT_ONCE` are read at once, each on one core: most of it are steps too small for two.

    Raises:
        EmollamaError: a block cannot be kept, e.g. because the disk is full, or the recording was
            removed.
    """

    def block(number: int, span: tuple[float, float]) -> Block:
        source = _Source(path, lengths, *span)
        name = f"block-{number:05d}"
        kept = work.arrays(name)
        if kept is None:
            found = _read(source, tools)
            work.keep_arrays(name, _to_arrays(found))
        else:
            found = _from_arrays(kept, *span)
        measured = _with_vectors(found, source, tools)
        del source
        give_back_freed_memory()  # of its frames: some 250 MB
        return measured

    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(min(AT_ONCE, processor_count()), "block", _one_core)
    waiting: deque[Future[Block]] = deque()
    try:
        for number, span in enumerate(block_spans(lengths.end)):
            waiting.append(pool.submit(block, number, span))
            if len(waiting) == AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def _one_core() -> None:
    torch.set_num_threads(1)


@dataclass
class _Source:
    """The media of a block, each decoded once, when it is asked for."""

    path: Path
    lengths: TrackLengths
    start: float
    end: float
    _frames: Frames | None = None
    _sound: np.ndarray | None = None
    damaged: int = 0

    @property
    def lead(self) -> float:
        """Seconds of sound before the block that are decoded as well."""
        return min(LEAD, self.start)

    def frames(self) -> Frames | None:
        """About `LIP_RATE` frames a second, their times from `start`; None without a picture.

        Raises:
            MediaError: they cannot be decoded.
        """
        if self._frames is None and self.lengths.picture is not None:
            first, last = self.lengths.picture
            low, high = max(self.start, first), min(self.end, last)
            if low < high:
                count = max(1, round((high - low) * LIP_RATE))
                self._frames = self._decoded(self.start, high, count).frames
        return self._frames

    def sound(self) -> np.ndarray | None:
        """Float32 [n] from `lead` seconds before the block; None without sound.

        Raises:
            MediaError: it cannot be decoded.
        """
        if self._sound is None and self.lengths.sound is not None:
            high = min(self.end, self.lengths.sound[1])
            if self.start < high:
                self._sound = self._decoded(self.start - self.lead, high, 0).audio
        return self._sound

    def _decoded(self, low: float, high: float, frames: int) -> Clip:
        try:
            clip = decode_clip(
                self.path, start=low, end=high, frames=frames or 1, max_side=_MAX_SIDE,
                want_video=frames > 0, want_audio=not frames, max_seconds=2 * BLOCK,
            )  # fmt: skip
        except MediaError:
            need_file(self.path)  # one that was removed is not damaged
            raise
        self.damaged += clip.damaged
        return clip


def _read(source: _Source, tools: Tools) -> Block:
    picture: PictureBlock | None = None
    voice: VoiceBlock | None = None
    notes: list[str] = []
    when = f"{clock(source.start)} to {clock(source.end)}"
    try:
        frames = source.frames()
        if frames is not None and tools.picture is not None:
            picture = read_picture(frames, source.start, tools.picture)
    except MediaError as error:
        notes.append(f"{when}: the picture cannot be decoded and is left out ({error})")
    try:
        sound = source.sound()
        if sound is not None and tools.ears is not None:
            voice = read_voices(sound, source.start, tools.ears, source.lead)
    except MediaError as error:
        notes.append(f"{when}: the sound cannot be decoded and is left out ({error})")
    if source.damaged:
        notes.append(f"{when}: {source.damaged} damaged packets were skipped")
    return Block(source.start, source.end, picture, voice, tuple(notes))


def _with_vectors(block: Block, source: _Source, tools: Tools) -> Block:
    """The block with the vectors that it lacks; they are the same whenever they are measured."""
    picture, voice = block.picture, block.voice
    if picture is not None and picture.looks is None:
        frames = source.frames()
        assert frames is not None, "they were there when the block was read"
        picture = with_looks(picture, frames)
    if voice is not None and voice.vectors is None and tools.ears is not None:
        sound = source.sound()
        assert sound is not None, "it was there when the block was read"
        voice = with_vectors(voice, sound, tools.ears, source.lead)
    return Block(block.start, block.end, picture, voice, block.notes)


def _to_arrays(block: Block) -> Arrays:
    arrays: Arrays = {_ABOUT: np.array(json.dumps(list(block.notes)))}
    for prefix, part in ((_PICTURE, block.picture), (_VOICE, block.voice)):
        if part is not None:
            arrays |= {prefix + name: values for name, values in part.to_arrays().items()}
    return arrays


def _from_arrays(arrays: Arrays, start: float, end: float) -> Block:
    def part(prefix: str) -> Arrays:
        return {n.removeprefix(prefix): v for n, v in arrays.items() if n.startswith(prefix)}

    picture, voice = part(_PICTURE), part(_VOICE)
    return Block(
        start,
        end,
        PictureBlock.from_arrays(picture) if picture else None,
        VoiceBlock.from_arrays(voice) if voice else None,
        tuple(json.loads(str(arrays[_ABOUT]))),
    )

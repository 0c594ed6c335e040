"""Who speaks when, by the sound alone: speakers are told apart within one recording."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from emollama.media.speech import CHUNK_SECONDS, Span, speech_spans
from emollama.recording.parts import Turn
from emollama.recording.voice_groups import Stretches, group_voices, unit
from emollama.recording.voices import VoiceBlock

_AROUND = (0.05, 0.0)  # seconds that the detector begins late and ends early
_PAUSE = 0.3  # seconds without speech that end a turn's stretch
_GAP = 0.35  # seconds between stretches of one speaker that are still one turn


def voice_turns(
    blocks: Sequence[VoiceBlock],
    count: int | None = None,
    speech: Sequence[Span] | None = None,
) -> list[Turn]:
    """Turns of speakers, told apart by their voices.

    Args:
        blocks: of the whole recording, in order, with vectors.
        count: number of speakers; None where it is not known.
        speech: where somebody speaks; None where it is to be detected.

    Returns:
        Turns sorted by start; speakers are named A, B, ... in the order in which they first speak.
    """
    spans = list(speech) if speech is not None else heard_speech(blocks)
    stretches = find_stretches(blocks)
    groups = group_voices(stretches, count)
    return name_turns(cut_speech(spans, stretches.spans, groups))


def heard_speech(blocks: Sequence[VoiceBlock]) -> list[Span]:
    """Where somebody speaks, across the edges of blocks."""
    if not blocks:
        return []
    first, end = blocks[0].start, blocks[-1].end
    times = np.arange(first, end, CHUNK_SECONDS)
    chances = np.zeros(len(times), np.float32)
    for block in blocks:
        inside = (times >= block.start) & (times < block.end)
        if len(block.chances):
            places = ((times[inside] - block.start) / CHUNK_SECONDS + 1e-6).astype(int)
            chances[inside] = block.chances[np.minimum(places, len(block.chances) - 1)]
    found = speech_spans(chances, end - first, _PAUSE, _AROUND)
    return [Span(span.start + first, span.end + first) for span in found]


def find_stretches(blocks: Sequence[VoiceBlock]) -> Stretches:
    """Windows that overlap are one stretch, its vector the mean of theirs."""
    windows = np.concatenate([np.zeros((0, 2)), *(block.windows for block in blocks)])
    vectors = []
    for block in blocks:
        if block.vectors is None:
            raise ValueError("a block without vectors: measure them by with_vectors")
        vectors.append(block.vectors)
    if not len(windows):
        return Stretches(windows, np.zeros((0, 0)))
    voices = np.concatenate(vectors).astype(np.float64)
    ends = np.maximum.accumulate(windows[:, 1])
    firsts = np.flatnonzero(np.r_[True, windows[1:, 0] > ends[:-1] - 1e-6])
    lasts = np.r_[firsts[1:], len(windows)]
    spans = np.array([(windows[a, 0], ends[b - 1]) for a, b in zip(firsts, lasts, strict=True)])
    means = np.array([voices[a:b].mean(0) for a, b in zip(firsts, lasts, strict=True)])
    return Stretches(spans, unit(means))


def cut_speech(
    spans: Sequence[Span], stretches: np.ndarray, groups: np.ndarray
) -> list[tuple[float, float, int]]:
    """Start, end and speaker of each turn; a moment is the speaker's whose stretch is nearest.

    Args:
        spans: where somebody speaks.
        stretches: float64 [S, 2], seconds.
        groups: int [S], the speaker of each stretch.
    """
    order = np.argsort(stretches[:, 0], kind="stable")
    stretches, groups = stretches[order], groups[order]
    pieces: list[tuple[float, float, int]] = []
    for span in spans:
        for start, end, group in _share(span, stretches, groups):
            if pieces and pieces[-1][2] == group and start - pieces[-1][1] <= _GAP:
                pieces[-1] = (pieces[-1][0], end, group)
            else:
                pieces.append((start, end, group))
    return pieces


def name_turns(pieces: Sequence[tuple[float, float, int]]) -> list[Turn]:
    """Turns with names: A, B, ... in the order in which speakers first speak."""
    names: dict[int, str] = {}
    for _, _, group in pieces:
        names.setdefault(group, person_name(len(names)))
    return [Turn(start, end, names[group]) for start, end, group in pieces]


def _share(span: Span, stretches: np.ndarray, groups: np.ndarray) -> list[tuple[float, float, int]]:
    """A span of speech cut in the pauses between stretches of different speakers."""
    inside = np.flatnonzero((stretches[:, 1] > span.start) & (stretches[:, 0] < span.end))
    if not len(inside):
        if not len(stretches):
            return [(span.start, span.end, 0)]
        gaps = np.maximum(stretches[:, 0] - span.end, span.start - stretches[:, 1])
        return [(span.start, span.end, int(groups[np.argmin(gaps)]))]
    found = []
    start = span.start
    for here, after in pairwise(inside.tolist()):
        if groups[here] != groups[after]:
            border = float((stretches[here, 1] + stretches[after, 0]) / 2)
            found.append((start, border, int(groups[here])))
            start = border
    found.append((start, span.end, int(groups[inside[-1]])))
    return found


def person_name(index: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    name = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        name = chr(ord("A") + letter) + name
    return name

"""Segments: spans of 1 to 15 s of one person that end at pauses, turns and cuts."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from emollama.media.speech import Span
from emollama.recording.parts import FACE_RATE, Person, Segment, Turn, Word, segment_id
from emollama.recording.views import Faces, view_of

LONGEST, SHORTEST = 15.0, 1.0
"""Seconds of a segment."""

_PAUSE = 0.7  # seconds between words at which a turn is split
_JOINED_GAP = 0.5  # seconds between segments of a person that are joined
_SHORT = 2.0  # seconds below which a segment is joined to its neighbour
_SLIVER = 0.25  # seconds of a turn behind a cut that are no segment
_LISTENING = 5.0  # seconds of a segment of somebody who is silent
_LEAST_LISTENING = 2.0  # seconds that somebody is seen and silent for one
_LOST = 1.0  # seconds that a face may be lost in between
_STRAY = 1.0  # seconds between a word and the turn that it belongs to


def cut_segments(
    people: Sequence[Person],
    turns: Sequence[Turn],
    words: Sequence[Word],
    cuts: Sequence[float],
    duration: float,
    stem: str,
) -> list[Segment]:
    """The segments of everybody, sorted by start, then person.

    The rules, for each person on their own, so that people who speak at once have segments that
    overlap; segments of one person never do:

    - A turn is split at cuts (not of somebody who is never seen), in the middle of pauses of .7 s
      or more between its words, and where it is longer than 15 s: in the middle of the longest
      pause of its middle half, again until no part is longer. Less than .25 s of a turn behind or
      before a cut are left out, if the rest of the turn is there.
    - One shorter than 2 s is joined to the next of the same shot at most .5 s away if nobody else
      speaks in between and both together last at most 15 s.
    - One that is still shorter than 1 s is widened to 1 s into the silence around it, up to the
      cut and anybody's speech. If that is not enough, it is joined to its nearest neighbour in the
      shot that is less than 1 s away; else it stays shorter than 1 s.
    - Where a person is seen and has no segment for 2 s or more, equal parts of about 5 s are
      segments of somebody who listens. A face that is lost for up to 1 s in a shot is still seen.
      What of a turn was left out is in none of them: they have spoken nothing.
    - A word belongs to the turn that its middle is in; in several to the one that the word before
      it belongs to, then to the one that began first; in none to the nearest at most 1 s away.
      Words that are nobody's are in no segment.

    Args:
        people: who is seen and heard.
        turns: who speaks when.
        words: of everybody, sorted by time.
        cuts: times of shot changes.
        duration: seconds of the recording.
        stem: name of the recording that ids begin with.
    """
    owners = word_owners(words, turns)
    found: list[Segment] = []
    faces = {person.name: Faces.of(person) for person in people}
    for person in people:
        besides = [faces[name] for name in faces if name != person.name]
        own = [Span(max(0.0, t.start), min(duration, t.end)) for t in turns
               if t.speaker == person.name and t.start < duration and t.end > 0]  # fmt: skip
        own = _union(own)
        said = [w for w, owner in zip(words, owners, strict=True)
                if owner is not None and turns[owner].speaker == person.name]  # fmt: skip
        others = _union([Span(t.start, t.end) for t in turns if t.speaker != person.name])
        inside = sorted({float(cut) for cut in cuts if 0 < cut < duration}) if person.tracks else []
        shots = [Span(a, b) for a, b in pairwise([0.0, *inside, duration])]
        speaking = _speaking(own, said, others, shots)
        spoken = [span for span in map(_hundredths, speaking) if span.end > span.start]
        silent = [_hundredths(span) for span in _listening(person, speaking, shots)]
        words_of = dict(zip(spoken, _shared(said, spoken), strict=True))
        for span, speaks in (*((s, True) for s in spoken), *((s, False) for s in silent)):
            turns_in = _within(own, span.start, span.end) if speaks else ()
            view, seen = view_of(faces[person.name], besides, span)
            found.append(
                Segment(
                    segment_id(stem, person.name, span.start),
                    person.name, span.start, span.end,
                    round(sum(_common(span, turn) for turn in turns_in), 2),
                    view, tuple(words_of.get(span, ())),
                    min(1.0, seen / max(1, round((span.end - span.start) * FACE_RATE))),
                )
            )  # fmt: skip
    return sorted(found, key=lambda segment: (segment.start, segment.person))


def word_owners(words: Sequence[Word], turns: Sequence[Turn]) -> list[int | None]:
    """The turn that each word belongs to, as `cut_segments` says; None for nobody's."""
    if not turns:
        return [None] * len(words)
    starts = np.array([turn.start for turn in turns])
    ends = np.array([turn.end for turn in turns])
    found: list[int | None] = []
    last: int | None = None
    for word in words:
        middle = (word.start + word.end) / 2
        away = np.maximum(np.maximum(starts - middle, middle - ends), 0.0)
        if away.min() > _STRAY:
            found.append(None)
            continue
        near = np.flatnonzero(away == away.min())
        if last not in near:
            last = int(near[starts[near].argmin()])
        found.append(last)
    return found


def _speaking(
    turns: Sequence[Span], words: Sequence[Word], others: Sequence[Span], shots: Sequence[Span]
) -> list[Span]:
    """Segments of somebody's turns, in order."""
    found: list[Span] = []
    for shot in shots:
        pieces: list[Span] = []
        for turn in _within(turns, shot.start, shot.end):
            piece = Span(max(turn.start, shot.start), min(turn.end, shot.end))
            length, whole = piece.end - piece.start, turn.end - turn.start
            if length > 0 and not (length < _SLIVER and length < whole / 2):
                pieces += _split(piece, words)
        pieces = _joined(pieces, others)
        found += _widened(pieces, others, shot)
    return found


def _split(piece: Span, words: Sequence[Word]) -> list[Span]:
    """A turn cut at long pauses and then at 15 s."""
    middles = (piece.start, piece.end)
    low, high = (bisect_left(words, at, key=lambda w: (w.start + w.end) / 2) for at in middles)
    mine = words[low:high]
    pauses = [Span(a.end, max(a.end, b.start)) for a, b in pairwise(mine)]
    edges = [(p.start + p.end) / 2 for p in pauses if p.end - p.start >= _PAUSE]
    parts = [Span(a, b) for a, b in pairwise([piece.start, *edges, piece.end]) if b > a]
    return [short for part in parts for short in _halved(part, pauses)]


def _halved(part: Span, pauses: Sequence[Span]) -> list[Span]:
    length = part.end - part.start
    if length <= LONGEST:
        return [part]
    middle = (part.start + part.end) / 2
    edge = middle
    near = [p for p in pauses if abs((p.start + p.end) / 2 - middle) <= length / 4]
    if near:
        best = max(near, key=lambda p: (p.end - p.start, -abs((p.start + p.end) / 2 - middle)))
        edge = (best.start + best.end) / 2
    return [*_halved(Span(part.start, edge), pauses), *_halved(Span(edge, part.end), pauses)]


def _joined(pieces: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Short ones joined to a near neighbour."""
    found: list[Span] = []
    for piece in pieces:
        if found:
            last = found[-1]
            gap = Span(last.end, piece.start)
            short = min(last.end - last.start, piece.end - piece.start) < _SHORT
            near = gap.end - gap.start <= _JOINED_GAP and piece.end - last.start <= LONGEST
            if short and near and not _within(others, gap.start, gap.end):
                found[-1] = Span(last.start, piece.end)
                continue
        found.append(piece)
    return found


def _widened(pieces: Sequence[Span], others: Sequence[Span], shot: Span) -> list[Span]:
    """Those shorter than 1 s widened into silence, else joined to a neighbour of the shot."""
    found = list(pieces)
    place = 0
    while place < len(found):
        piece = found[place]
        if piece.end - piece.start < SHORTEST:
            low, high = piece.start - SHORTEST, piece.end + SHORTEST
            around = [*found[max(0, place - 1) : place], *found[place + 1 : place + 2],
                      *_within(others, low, high)]  # fmt: skip
            piece = found[place] = _wider(piece, around, shot)
        beside = [p for p in (place - 1, place + 1) if 0 <= p < len(found)]
        beside = [p for p in beside if _away(found[p], piece) < SHORTEST
                  and max(found[p].end, piece.end) - min(found[p].start, piece.start)
                  <= LONGEST]  # fmt: skip
        if piece.end - piece.start < SHORTEST and beside:
            other = min(beside, key=lambda p: _away(found[p], piece))
            low, high = sorted((other, place))
            found[low : high + 1] = [Span(found[low].start, found[high].end)]
            place = low  # it may still be too short
            continue
        place += 1
    return found


def _wider(piece: Span, around: Sequence[Span], shot: Span) -> Span:
    """A span of 1 s around a shorter one, as far as nothing around it is in the way."""
    low = max([shot.start, *(s.end for s in around if s.end <= piece.start)])
    high = min([shot.end, *(s.start for s in around if s.start >= piece.end)])
    if any(s.start < piece.start < s.end for s in around):
        low = piece.start
    if any(s.start < piece.end < s.end for s in around):
        high = piece.end
    side = (SHORTEST - (piece.end - piece.start)) / 2
    left, right = piece.start - low, high - piece.end
    before = min(left, max(side, 2 * side - right))
    after = min(right, 2 * side - before)
    return Span(piece.start - before, piece.end + after)


def _listening(person: Person, speaking: Sequence[Span], shots: Sequence[Span]) -> list[Span]:
    """Segments of somebody who is seen and silent."""
    found: list[Span] = []
    tracks = sorted((Span(track.start, track.end) for track in person.tracks), key=_start)
    for shot in shots:
        seen = [Span(max(track.start, shot.start), min(track.end, shot.end))
                for track in _within(tracks, shot.start, shot.end)]  # fmt: skip
        for stretch in _union(seen, _LOST):
            free = [_to_edges(stretch, shot)]
            for busy in _within(speaking, stretch.start, stretch.end):
                free = [part for whole in free
                        for part in (Span(whole.start, min(whole.end, busy.start)),
                                     Span(max(whole.start, busy.end), whole.end))
                        if part.end > part.start]  # fmt: skip
            for part in free:
                length = part.end - part.start
                if length >= _LEAST_LISTENING:
                    count = max(1, round(length / _LISTENING))
                    edges = [part.start + length * i / count for i in range(count + 1)]
                    found += [Span(a, b) for a, b in pairwise(edges)]
    return found


def _to_edges(seen: Span, shot: Span) -> Span:
    """A face that is found in a shot's first frame is there from its start; so at its end."""
    step = 1 / FACE_RATE
    return Span(
        shot.start if seen.start - shot.start <= step else seen.start,
        shot.end if shot.end - seen.end <= step else seen.end,
    )


def _shared(words: Sequence[Word], spans: Sequence[Span]) -> list[list[Word]]:
    """Words by the span that their middle is in or next to."""
    found: list[list[Word]] = [[] for _ in spans]
    starts = np.array([span.start for span in spans])
    ends = np.array([span.end for span in spans])
    for word in words if spans else ():
        middle = (word.start + word.end) / 2
        found[int(np.maximum(starts - middle, middle - ends).argmin())].append(word)
    return found


def _union(spans: Sequence[Span], gap: float = 0.0) -> list[Span]:
    """Sorted spans; those at most `gap` seconds apart are one."""
    found: list[Span] = []
    for span in sorted(spans, key=_start):
        if found and span.start - found[-1].end <= gap:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def _start(span: Span) -> float:
    return span.start


def _within(spans: Sequence[Span], low: float, high: float) -> Sequence[Span]:
    """Those of sorted spans that do not overlap which have something between two times."""
    first = bisect_right(spans, low, key=lambda span: span.end)
    return spans[first : bisect_left(spans, high, key=_start)]


def _common(one: Span, other: Span) -> float:
    return max(0.0, min(one.end, other.end) - max(one.start, other.start))


def _away(one: Span, other: Span) -> float:
    return max(0.0, other.start - one.end, one.start - other.end)


def _hundredths(span: Span) -> Span:
    """Times that an id can say, never across the cut that a span ends at."""
    return Span(math.ceil(span.start * 100 - 1e-6) / 100, math.floor(span.end * 100 + 1e-6) / 100)

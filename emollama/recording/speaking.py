"""Who speaks, by voices and faces together: which visible person's lips go with which voice.

Lips that move are no proof: listeners laugh and chew, and in a film somebody may be shown who is
silent. Two things tell a speaker: their lips move more while the voice is heard than otherwise, and
they move with its loudness. In one short stretch of speech both are weak; a group of alike voices
gathers them over the recording, and gives the voice a person.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emollama.media.speech import Span
from emollama.recording.parts import FaceTrack, Person, Turn
from emollama.recording.turns import cut_speech, find_stretches, heard_speech, person_name
from emollama.recording.voice_groups import (
    Stretches,
    divide,
    group_voices,
    middles,
    within_recording,
)
from emollama.recording.voices import VOICE_RATE, VoiceBlock

_AROUND = 0.6  # seconds before and after a stretch in which lips must be still again
_SMOOTH = 5  # moments of `VOICE_RATE` that lips and loudness are averaged over
_DARK = -55.0  # dB below which sound does not count
_SEEN = 0.5  # share of a stretch in which a face must be seen to be judged
_PER_GROUP = 12.0  # seconds of speech for which voices are grouped more finely than by person
_MOST_GROUPS = 16
_SPEAKS = 0.05  # mean evidence from which a group of voices is a visible person's
_VOICE = 1.0  # weight of the voice against the evidence of one stretch


def identify(
    blocks: Sequence[VoiceBlock],
    tracks: Sequence[FaceTrack],
    groups: Sequence[Sequence[int]],
    count: int | None = None,
    speech: Sequence[Span] | None = None,
) -> tuple[list[Person], list[Turn]]:
    """The people of a recording, seen or heard, and their turns.

    Args:
        blocks: sound of the whole recording, in order, with vectors; none of a silent one.
        tracks: faces; none of a recording without a picture.
        groups: indices of the tracks of each person who is seen.
        count: number of people who speak; None where it is not known.
        speech: where somebody speaks; None where it is to be detected.

    Returns:
        People named A, B, ... in the order in which they first appear, to the eye or to the ear,
        and turns sorted by start. A silent face is a person who is not heard; a voice without a
        face a person without tracks.
    """
    spans = list(speech) if speech is not None else heard_speech(blocks)
    stretches = find_stretches(blocks)
    evidence = lip_evidence(blocks, stretches.spans, tracks, groups)
    if np.isfinite(evidence).any():
        speakers = _joined(stretches, evidence, count)
    else:
        # Speakers are numbered after those who are seen.
        speakers = group_voices(stretches, count) + len(groups)
    return _people(cut_speech(spans, stretches.spans, speakers), tracks, groups)


def lip_evidence(
    blocks: Sequence[VoiceBlock],
    spans: np.ndarray,
    tracks: Sequence[FaceTrack],
    groups: Sequence[Sequence[int]],
) -> np.ndarray:
    """How much each person's lips go with each stretch of speech, float64 [S, P].

    About 1 for clear speech of that person, 0 for lips that know nothing of it; NaN where their
    face is not seen.
    """
    found = np.full((len(spans), len(groups)), np.nan)
    if not len(spans) or not tracks:
        return found
    times, loud = _loudness(blocks)
    motion = [np.sort(track.lips[np.isfinite(track.lips)]) for track in tracks]
    everything = np.concatenate(motion)
    if not len(everything):
        return found
    # One scale for all: a face that stands still must not be blown up to one that speaks.
    scale = max(float(np.percentile(everything, 90) - np.percentile(everything, 10)), 1e-3)
    for person, own in enumerate(groups):
        lips = np.full(len(times), np.nan)
        rest = np.full(len(times), np.nan)
        for track in (tracks[index] for index in own):
            known = np.isfinite(track.lips)
            if known.sum() < 3:
                continue
            inside = (times >= track.lip_times[0]) & (times <= track.lip_times[-1])
            curve = np.interp(times[inside], track.lip_times[known], track.lips[known]) / scale
            lips[inside] = _smoothed(curve)
            quiet = curve[loud[inside] <= 0]
            rest[inside] = np.median(quiet) if len(quiet) >= VOICE_RATE else np.median(curve)
        for row, (start, end) in enumerate(spans):
            found[row, person] = _evidence(times, loud, lips, rest, start, end)
    return found


def _evidence(
    times: np.ndarray,
    loud: np.ndarray,
    lips: np.ndarray,
    rest: np.ndarray,
    start: float,
    end: float,
) -> float:
    """Of one person in one stretch; the mean of their lips' rise and of how they go with it."""
    inside = (times >= start) & (times < end) & np.isfinite(lips)
    if inside.sum() < max(2.0, _SEEN * (end - start) * VOICE_RATE):
        return np.nan
    rise = float(np.mean(lips[inside] - rest[inside]))
    near = (times >= start - _AROUND) & (times < end + _AROUND) & np.isfinite(lips)
    heard, moved = loud[near] - loud[near].mean(), lips[near] - lips[near].mean()
    power = float(np.sqrt((heard @ heard) * (moved @ moved)))
    alike = float(heard @ moved) / power if power > 1e-6 else 0.0
    return 0.5 * float(np.clip(rise, -1, 1)) + 0.5 * alike


def _loudness(blocks: Sequence[VoiceBlock]) -> tuple[np.ndarray, np.ndarray]:
    """Times of the recording at `VOICE_RATE`, and how loud it is: 0 where nothing is heard."""
    times = np.concatenate(
        [b.start + (np.arange(len(b.loudness)) + 0.5) / VOICE_RATE for b in blocks]
    )
    level = np.concatenate([block.loudness for block in blocks]).astype(np.float64)
    floor = max(_DARK, float(np.percentile(level, 95)) - 30) if len(level) else _DARK
    return times, _smoothed(np.maximum(level - floor, 0) / 30)


def _smoothed(curve: np.ndarray) -> np.ndarray:
    """A running mean that keeps the length."""
    if len(curve) < _SMOOTH:
        return curve
    wide = np.pad(curve, _SMOOTH // 2, mode="edge")
    return np.convolve(wide, np.full(_SMOOTH, 1 / _SMOOTH), "valid")


def _joined(stretches: Stretches, evidence: np.ndarray, count: int | None) -> np.ndarray:
    """The speaker of each stretch: a person who is seen, or from their number on one who is not."""
    total, seen = evidence.shape
    seconds, places = stretches.seconds, within_recording(stretches)
    fine = int(np.clip(seconds.sum() / _PER_GROUP, 2, min(_MOST_GROUPS, total)))
    parts = divide(places, seconds, fine) if total > 1 else np.zeros(total, int)
    owner = np.full(fine, -1)
    weights = np.where(np.isfinite(evidence), seconds[:, None], 0.0)
    for part in range(fine):
        mine = parts == part
        weight = weights[mine].sum(0)
        mean = (np.nan_to_num(evidence[mine]) * weights[mine]).sum(0) / np.maximum(weight, 1e-9)
        # A face that is seen in little of a voice's speech says little about it.
        mean *= weight >= 0.25 * seconds[mine].sum()
        if mine.any() and mean.max() >= _SPEAKS:
            owner[part] = int(np.argmax(mean))
    speakers = owner[parts]
    unseen = speakers < 0
    if unseen.any():
        voices = group_voices(stretches, count)
        speakers = _unseen(speakers, voices, seconds, seen)
    return _settled(places, seconds, speakers, evidence)


def _unseen(speakers: np.ndarray, voices: np.ndarray, seconds: np.ndarray, seen: int) -> np.ndarray:
    """Speakers of stretches that no face was found for, by the voice alone.

    A voice most of which is a visible person's is theirs; any other is somebody who is not seen.
    """
    found = speakers.copy()
    for voice in np.unique(voices):
        mine = voices == voice
        shares = [seconds[mine & (speakers == person)].sum() for person in range(seen)]
        alone = seconds[mine & (speakers < 0)].sum()
        best = int(np.argmax(shares))
        owner = best if shares[best] > alone else seen + int(voice)
        found[mine & (speakers < 0)] = owner
    return found


def _settled(
    places: np.ndarray, seconds: np.ndarray, speakers: np.ndarray, evidence: np.ndarray
) -> np.ndarray:
    """Each stretch once more, by its own lips and by how alike it is to everybody's voice."""
    names = np.unique(speakers)
    if len(names) < 2:
        return speakers
    score = _VOICE * (places @ middles(places, seconds, speakers).T)
    for column, name in enumerate(names):
        if name < evidence.shape[1]:
            score[:, column] += np.nan_to_num(evidence[:, name])
    return names[np.argmax(score, axis=1)]


def _people(
    pieces: Sequence[tuple[float, float, int]],
    tracks: Sequence[FaceTrack],
    groups: Sequence[Sequence[int]],
) -> tuple[list[Person], list[Turn]]:
    """People and turns by name; a speaker who is seen has the number of their group."""
    faces = {
        number: tuple(sorted((tracks[i] for i in own), key=lambda track: track.start))
        for number, own in enumerate(groups)
    }
    firsts = {number: own[0].start for number, own in faces.items()}
    for start, _, number in pieces:
        firsts[number] = min(firsts.get(number, start), start)
    heard = {number for _, _, number in pieces}
    order = sorted(firsts, key=lambda number: (firsts[number], number))
    names = {number: person_name(place) for place, number in enumerate(order)}
    people = [Person(names[n], faces.get(n, ()), n in heard) for n in order]
    return people, [Turn(start, end, names[number]) for start, end, number in pieces]

"""Whether a clip seems to show somebody else than the person that it is measured against.

A warning, no proof of identity. With the embedded default's features, on people that the prior has
not seen (RAVDESS, EMO-DB and Java-SED, three folds of people, 1 to 16 enrolled clips), it is given

- by mistake for 1.2 % of a person's own clips at most (voice, three corpora together: 0.6 to 1.1 %;
  face: 0.2 to 1.2 %);
- unevenly: 4 to 6 % of one person's own faces and 9 to 17 % of another's own voice, hardly any of
  the other people's;
- for somebody else's face in 53 % (one clip enrolled) to 71 % (16 clips), six people;
- for somebody else's voice in 47 to 76 % where it was recorded elsewhere, but in 0 to 4 % where it
  was recorded alike, of the other sex or not: what differs is mostly the recording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emollama.inputs.person import ClipMoments, Person, PersonPrior

STRANGE = 4.0
"""Distance from which a channel is said to differ; about one own clip in a hundred lies beyond."""


def distances(
    prior: PersonPrior, person: Person, clip: ClipMoments, channels: Mapping[str, str]
) -> dict[str, float]:
    """How far a clip lies from a person, by channel: 1 is what a clip of that person does.

    The mean over columns of the squared difference in units of what is expected: the noise of a
    clip, the person's habits and the doubt about the person's mean. What the clip's expected label
    explains is taken off first, and columns count by how far people lie apart in them.

    Args:
        prior: of the model.
        person: whom the clip should show.
        clip: its moments.
        channels: by input of the prior; one that the clip lacks is left out.
    """
    place = (clip.mean - person.mean) / prior.deviation
    if prior.labels:
        place = place - prior.expected(place[None])[0] @ prior.classes
    single = prior.noise + prior.habit
    expected_square = single + 1 / (1 / prior.spread + person.clips / single)
    weights = prior.spread / expected_square
    weighted = weights * place**2 / expected_square
    found: dict[str, float] = {}
    for channel in dict.fromkeys(channels.values()):
        mine = np.zeros(len(place), dtype=bool)
        for name, columns in prior.slices.items():
            mine[columns] = channels[name] == channel
        mine &= ~np.isnan(place)
        if mine.any():
            found[channel] = float(weighted[mine].sum() / weights[mine].sum())
    return found


def strange(
    prior: PersonPrior, person: Person, clip: ClipMoments, channels: Mapping[str, str]
) -> list[str]:
    """Channels by which a clip seems to show somebody else; arguments as of `distances`."""
    found = distances(prior, person, clip, channels)
    return [channel for channel, distance in found.items() if distance > STRANGE]


def odd_ones(
    prior: PersonPrior,
    clips: Sequence[ClipMoments],
    channels: Mapping[str, str],
    neutral: bool = False,
) -> dict[int, list[str]]:
    """Places of clips that differ from the person of the others, with the channels that do.

    The oddest one is set aside before the rest are compared again, for one stranger makes all look
    strange. Of two clips that differ both do.
    """
    found: dict[int, list[str]] = {}
    left = list(range(len(clips)))
    while len(left) > 1:
        odd: dict[int, dict[str, float]] = {}
        for i in left:
            person = prior.estimate([clips[j] for j in left if j != i], neutral)
            assert person is not None
            far = distances(prior, person, clips[i], channels)
            odd[i] = {c: distance for c, distance in far.items() if distance > STRANGE}
        oddest = max(left, key=lambda i: max(odd[i].values(), default=0.0))
        if not odd[oddest]:
            break
        if len(left) == 2:
            found |= {i: list(odd[i] or odd[oddest]) for i in left}
            break
        found[oddest] = list(odd[oddest])
        left.remove(oddest)
    return found

"""A clip measured against the person in it: who they are by some of their clips, and what to say.

Only tracks of inputs with `standardise: person` change here. The clue words of the changed tracks
are `LlmSession.known_as`'s part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.inputs.person import ClipMoments, Person, PersonPrior
from emollama.session.clip_view import ClipView
from emollama.session.observation import Track
from emollama.session.strangers import odd_ones, strange

ONE_CLIP = "one clip of a person helps little; enrol several that differ in emotion"
_A = {"voice": "a voice", "face": "a face", "words": "words"}


def moments_of_view(prior: PersonPrior, view: ClipView) -> ClipMoments:
    """Moments of a clip's tracks as they are, NaN where it lacks one."""
    raw = view.unmeasured or view
    return prior.moments({name: _feature(raw.tracks.get(name)) for name in prior.widths})


def _feature(track: Track | None) -> FeatureTrack | None:
    return track if isinstance(track, FeatureTrack) else None


def enrolled(
    prior: PersonPrior,
    views: Sequence[ClipView],
    channels: Mapping[str, str],
    neutral: bool = False,
    names: Sequence[str] = (),
) -> Person:
    """The person that these clips show.

    Args:
        prior: of the model.
        views: clips of one person.
        channels: by input of the prior.
        neutral: whether the user says that all clips are neutral.
        names: of the clips, for messages.

    Raises:
        EmollamaError: no clip, or one with nothing that is measured against people.
    """
    moments = [moments_of_view(prior, view) for view in views]
    for i, (view, clip) in enumerate(zip(views, moments, strict=True)):
        if np.isnan(clip.mean).all():
            why = ", ".join(
                f"{c}: {view.absent.get(c, 'left out')}" for c in dict.fromkeys(channels.values())
            )
            raise EmollamaError(
                f"{_name(names, i)}: cannot be enrolled, for it shows nothing that this model "
                f"measures against people ({why})"
            )
    person = prior.estimate(moments, neutral)
    if person is None:
        raise EmollamaError("enrolling a person needs at least one clip")
    return person


def enrolment_warnings(
    prior: PersonPrior,
    views: Sequence[ClipView],
    channels: Mapping[str, str],
    neutral: bool = False,
    names: Sequence[str] = (),
) -> list[str]:
    """Lines about enrolled clips by which somebody else seems to be among them."""
    moments = [moments_of_view(prior, view) for view in views]
    found = odd_ones(prior, moments, channels, neutral)
    if len(views) == 2 and found:
        odd = " and ".join(found[0])
        return [
            f"{_name(names, 0)} and {_name(names, 1)}: the {odd}, or how it was recorded, "
            "differs: is it the same person?"
        ]
    return [
        f"{_name(names, i)}: the {' and '.join(odd)}, or how it was recorded, differs from the "
        "other enrolled clips: is it somebody else?"
        for i, odd in sorted(found.items())
    ]


def _name(names: Sequence[str], i: int) -> str:
    return names[i] if i < len(names) else f"enrolled clip {i + 1}"


def require_same_model(prior: PersonPrior, person: Person, name: str | None = None) -> None:
    """Raise an error unless a person was enrolled with the model of this prior.

    Raises:
        EmollamaError: another model, or a damaged person.
    """
    who = "this person" if name is None else f"person '{name}'"
    if person.prior != prior.key:
        raise EmollamaError(f"{who} was enrolled with another model; enrol again")
    shapes = {person.mean.shape, person.deviation.shape}
    if shapes != {prior.mean.shape} or not (person.deviation > 0).all() or person.clips < 1:
        raise EmollamaError(f"{who} is stored in a damaged file; enrol again")


def measured(
    prior: PersonPrior,
    view: ClipView,
    person: Person,
    channels: Mapping[str, str],
    name: str | None = None,
) -> ClipView:
    """A clip measured against a person, whatever it was measured against before.

    Args:
        prior: of the model.
        view: the clip.
        person: who is in it.
        channels: by input of the prior.
        name: of a stored person.

    Raises:
        EmollamaError: see `require_same_model`.
    """
    require_same_model(prior, person, name)
    raw = view.unmeasured or view
    tracks = dict(raw.tracks)
    known: set[str] = set()
    for input_name in prior.widths:
        affine = prior.affine(input_name, person)
        track = tracks.get(input_name)
        if affine is None or not prior.measures(input_name, person):
            continue
        known.add(channels[input_name])
        if isinstance(track, FeatureTrack):
            tracks[input_name] = affine.apply(track)
    notes = [f"measured against {person.in_words(name)}"]
    if person.clips == 1:
        notes.append(ONE_CLIP)
    for channel in dict.fromkeys(channels.values()):
        if channel in raw.present and channel not in known:
            notes.append(
                f"the {channel} is not measured against the person: none of their clips has "
                f"{_A[channel]}"
            )
    shown = strange(prior, person, moments_of_view(prior, raw), channels)
    notes += [
        f"the {channel}, or how it was recorded, differs from the clips enrolled: is it somebody "
        "else?"
        for channel in shown
        if channel in known
    ]
    return replace(
        raw,
        tracks=tracks,
        notes=(*raw.notes, *notes),
        channels=view.channels,
        key=f"{raw.key}+{_digest(person, name)}",
        person=person,
        person_name=name,
        unmeasured=raw,
    )


def _digest(person: Person, name: str | None) -> str:
    digest = hashlib.sha256(repr((name, person.clips, person.variety)).encode())
    for values in (person.mean, person.deviation):
        digest.update(np.ascontiguousarray(values, dtype=np.float32).tobytes())
    return digest.hexdigest()[:16]

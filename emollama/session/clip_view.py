"""A clip as one model sees it: its evidence and remarks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import uuid4
from warnings import warn

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.encoders.base import FeatureTrack
from emollama.inputs.familiarity import Familiar
from emollama.inputs.person import Person
from emollama.llm.clues import CORPUS
from emollama.llm.processing import CHANNELS, Evidence
from emollama.manifest.channels import Channel
from emollama.media.languages import Language
from emollama.session.answer import PersonSummary
from emollama.session.observation import Observation, Track

TextSource = Literal["given", "heard"]


@dataclass(frozen=True)
class ClipView:
    """A clip encoded for a model.

    Attributes:
        observation: the part that does not depend on the model: duration, transcript, peak frame,
            timeline.
        tracks: by input of the model; None if missing.
        text: the words that the model reads, or None.
        text_source: whether they were given or transcribed.
        clues: measured words by channel, relative to what `compared_with` says.
        compared_with: "the training corpus", or "4 clips of this person".
        present: the model's channels that the clip has.
        channels: channels to use; see `without`.
        notes: remarks for the reader of an answer.
        absent: by channel of the model that the clip lacks, why.
        key: changes with everything except `channels`; see `clip_key`.
        person: whom the tracks are measured against; None for the training corpus.
        person_name: of a stored person.
        unmeasured: the clip as it is, where `person` is set.
        familiar: how far it lies from the model's training clips; None where that is not known.
    """

    observation: Observation
    tracks: Mapping[str, Track | None]
    text: str | None = None
    text_source: TextSource | None = None
    clues: Mapping[str, str] = field(default_factory=dict)
    present: tuple[Channel, ...] = ()
    channels: frozenset[str] = frozenset(CHANNELS)
    notes: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    key: str = field(default_factory=lambda: uuid4().hex)
    person: Person | None = None
    person_name: str | None = None
    unmeasured: ClipView | None = None
    compared_with: str = CORPUS
    familiar: Familiar | None = None

    @property
    def sight(self) -> Observation:
        """The former name of `observation`, removed in the next release."""
        warn("ClipView.sight is now observation", DeprecationWarning, stacklevel=2)
        return self.observation

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.observation.duration

    @property
    def language(self) -> Language | None:
        """Of what is said, where the transcriber knows many languages, understood or not."""
        return None if self.text_source == "given" else self.observation.language

    @property
    def used(self) -> tuple[Channel, ...]:
        """Channels of the clip that are in use."""
        return tuple(c for c in self.present if c in self.channels)

    @property
    def familiar_used(self) -> Familiar | None:
        """`familiar` of the channels in use."""
        return None if self.familiar is None else self.familiar.only(self.used)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes of an answer: first of all whether the clip is unlike the training clips."""
        found = self.familiar_used
        warning = None if found is None else found.warning
        return self.notes if warning is None else (warning, *self.notes)

    @property
    def evidence(self) -> Evidence:
        """The evidence for a language model."""
        tracks = {n: t for n, t in self.tracks.items() if t is None or isinstance(t, FeatureTrack)}
        return Evidence(tracks, self.text, self.clues, self.channels)

    @property
    def person_summary(self) -> PersonSummary | None:
        """What an answer says of the person; None without one."""
        if self.person is None:
            return None
        return PersonSummary(self.person.clips, self.person.variety, self.person_name)

    @property
    def clip_key(self) -> str:
        """Equal for views of the same clip and words, whomever they are measured against."""
        return self.key.partition("+")[0]

    @property
    def cache_key(self) -> tuple[str, frozenset[str]]:
        """Equal for views with the same evidence."""
        return self.key, self.channels

    def without(self, *channels: str) -> ClipView:
        """The same clip with channels left out, as if it had never had them.

        Raises:
            EmollamaError: an unknown channel, or no channel would remain.
        """
        for channel in channels:
            if channel not in CHANNELS:
                raise EmollamaError(
                    f"channel '{channel}' is unknown{did_you_mean(channel, CHANNELS)}"
                )
        return self.only(c for c in self.channels if c not in channels)

    def only(self, channels: Iterable[str]) -> ClipView:
        """The same clip with these channels and no others."""
        found = replace(self, channels=frozenset(channels))
        if not found.used:
            raise EmollamaError(
                f"no channel is left: the clip has {', '.join(self.present)}, which was left out"
            )
        return found

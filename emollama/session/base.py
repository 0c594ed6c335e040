"""The session base class: a model with its encoders, ready to answer questions about clips."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.encoders.presence import note
from emollama.inputs.person import Person, PersonPrior
from emollama.llm.decoding import Reply, Sampling
from emollama.llm.inference import REASON_TOKENS
from emollama.llm.processing import CHANNELS, LONGEST_TEXT, Turn, cut_text
from emollama.manifest.channels import Channel
from emollama.media.cutting import Box
from emollama.runs.artefact import Artefact, Family
from emollama.runs.shapley import attribution, subset_scores
from emollama.runs.subject import Subject
from emollama.scoring.calibration.conformal import require_coverage
from emollama.scoring.reasons.check import CheckedReason
from emollama.session.answer import Answer, Weights
from emollama.session.clip_view import ClipView, TextSource
from emollama.session.coverage import with_coverage
from emollama.session.disagreement import channels_alone, with_disagreement
from emollama.session.encoders import open_encoders
from emollama.session.enrolling import enrolled, enrolment_warnings, measured
from emollama.session.observation import Observation, Track
from emollama.session.observing import Observer, channel_encoders, tracks_of
from emollama.session.reasons import CheckedReply

if TYPE_CHECKING:
    from emollama.fusion.data.raw_reading import MediaTool


class Session(ABC):
    """A model that is loaded once and answers questions about clips, each encoded once.

    Open one with `emollama.session.open_session`. All methods may be called from several threads,
    though they share the cores.

    Attributes:
        artefact: the model.
        folder: of the artefact.
        inputs: inputs of the model.
        labels: its label set; () for a model of values only.
        calibration: of its probabilities; None if it was not calibrated.
        observer: turns a file into an `Observation`.
    """

    artefact: Artefact

    def __init__(
        self, artefact: Artefact, describe: bool, tools: Mapping[str, MediaTool] | None = None
    ) -> None:
        self.artefact = artefact
        self.folder = artefact.folder
        self.inputs = artefact.inputs
        self.labels = artefact.labels
        self.calibration = artefact.calibration
        self.encoders = open_encoders(artefact)
        self.observer = Observer(
            channel_encoders(self.encoders, words=False), describe, tools or {}
        )

    @property
    def kind(self) -> Family:
        """ "llm" or "fusion", for display; use `writes` to test for a difference."""
        return self.artefact.family

    @property
    def writes(self) -> bool:
        """Whether it writes reasons and can chat."""
        return self.artefact.writes

    @property
    def name(self) -> str:
        """Name of the model, see `Artefact.name`."""
        return self.artefact.name

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels that the model reads."""
        mine = {i.channel for i in self.inputs} | ({"words"} if self.artefact.reads_text else set())
        return tuple(c for c in CHANNELS if c in mine)

    def look(
        self,
        video: Path,
        text: str | None = None,
        start: float | None = None,
        end: float | None = None,
        transcribe: bool = True,
        voice: Path | None = None,
        view: Box | None = None,
        mute: bool = False,
    ) -> ClipView:
        """Decode, encode and describe a clip, by the same code as extraction.

        Args:
            video: a media file; one with sound only will do.
            text: the transcript; if it is None and `transcribe` is set, the clip is transcribed.
            start: seconds from the file's beginning.
            end: seconds, exclusive.
            transcribe: whether to transcribe speech, if the model reads words or the clip is
                described; silence yields no words.
            voice: the file of its sound, if it is another.
            view: the part of the picture to look at; None for all of it.
            mute: whether the sound is of others, and is left out with all words.

        Raises:
            EmollamaError: the file cannot be read, or has none of the model's channels.
        """
        listen = self.listens(text, transcribe) and not mute
        seen = self.observer.watch(video, start, end, listen, voice, view, mute)
        return self.look_at(seen, text, str(video))

    def listens(self, text: str | None, transcribe: bool = True) -> bool:
        """Whether speech is to be transcribed: where it is wanted and somebody reads it."""
        for_whom = self.observer.describe or "words" in self.channels
        return transcribe and text is None and for_whom

    def forget(self, look: ClipView) -> None:  # noqa: B027  most models keep nothing
        """Release the data kept of a clip for further questions."""

    def limit_memory(self, budget: int) -> None:  # noqa: B027
        """Limit the bytes kept of clips for further questions."""

    def look_at(
        self, observation: Observation, text: str | None = None, where: str = "the clip"
    ) -> ClipView:
        """The model's view of an observed clip.

        `text` None uses the transcript, "" means no words.
        """
        words = text if text is not None else observation.heard
        words = words if words and words.strip() else None
        source: TextSource | None = None if words is None else "heard" if text is None else "given"
        # Words that are given need not be understood.
        unheard = None if words is None else observation.absent.get("words")
        notes = [one for one in observation.notes if one != unheard]
        if source == "heard":
            notes.append(observation.heard_by)
        made = {**observation.tracks, **self._of_words(words, notes)}
        tracks: dict[str, Track | None] = {}
        for one in self.inputs:
            tracks[one.name] = made.get(one.source)
            if not one.online:
                notes.append(f"{one} needs tracks from another tool's folder: left out")
        absent: dict[str, str] = {}
        for channel in self.channels:
            mine = [i.name for i in self.inputs if i.channel == channel]
            has_words = channel == "words" and self.artefact.reads_text and words is not None
            if not has_words and all(tracks[name] is None for name in mine):
                why = dict(observation.absent)
                if channel == "words" and text is not None:
                    why.pop("words", None)  # the user says that there are none
                absent[channel] = why.get(channel, f"no {channel}")
                notes.append(note(channel, why.get(channel)))
        if words and cut_text(words) != words:
            notes.append(f"only the first {LONGEST_TEXT} words are read")
        look = self._compared(
            self._complete(
                ClipView(
                    observation, tracks, words, source, notes=tuple(dict.fromkeys(notes)),
                    absent=absent,
                )
            )
        )  # fmt: skip
        if not look.present:
            known = ", ".join(f"{c}: {absent[c]}" if c in absent else c for c in self.channels)
            raise EmollamaError(f"{where}: has nothing that this model goes by ({known})")
        return look

    def _compared(self, look: ClipView) -> ClipView:
        """The view with its distance from the training clips, if the model keeps the measure."""
        known, raw = self.artefact.familiarity, look.unmeasured
        if known is None:
            return look
        found = known.of(look.tracks) if raw is None else known.of(raw.tracks, look.tracks)
        return replace(look, familiar=found)

    def reworded(self, look: ClipView, text: str) -> ClipView:
        """The same clip with other words; "" for none. Channels left out stay so, as does the
        person that it is measured against.
        """
        found = self.look_at(look.observation, text).only(look.channels)
        return self.known_as(found, look.person, look.person_name)

    def _of_words(self, words: str | None, notes: list[str]) -> dict[str, Track | None]:
        """Tracks of the words by source; remarks are added to `notes`."""
        return tracks_of(channel_encoders(self.encoders, words=True), words)

    @abstractmethod
    def _complete(self, look: ClipView) -> ClipView:
        """The view with `present` and, if the model has them, `clues`."""

    @property
    def person_prior(self) -> PersonPrior:
        """What the model knows of people.

        Raises:
            EmollamaError: it was not trained with `standardise: person`.
        """
        if self.artefact.prior is None:
            raise EmollamaError(
                f"model '{self.name}' does not measure people: enrolling needs a model trained "
                "with `standardise: person`"
            )
        return self.artefact.prior

    @property
    def person_channels(self) -> dict[str, Channel]:
        """Channels that are measured against people, by input; {} if none is."""
        prior = self.artefact.prior
        return {} if prior is None else {
            one.name: one.channel for one in self.inputs if one.name in prior.widths
        }  # fmt: skip

    def enrol(
        self, looks: Sequence[ClipView], neutral: bool = False, names: Sequence[str] = ()
    ) -> Person:
        """The person that some clips show, each looked at before; nothing is stored.

        Args:
            looks: clips of one person, whose labels need not be known.
            neutral: whether all of them are neutral.
            names: of the clips, for messages.

        Raises:
            EmollamaError: the model does not measure people, or a clip shows nothing of one.
        """
        return enrolled(self.person_prior, looks, self.person_channels, neutral, names)

    def enrolment_warnings(
        self, looks: Sequence[ClipView], neutral: bool = False, names: Sequence[str] = ()
    ) -> list[str]:
        """Lines about clips that seem to show somebody else than the others; see `enrol`."""
        return enrolment_warnings(self.person_prior, looks, self.person_channels, neutral, names)

    def known_as(self, look: ClipView, person: Person | None, name: str | None = None) -> ClipView:
        """The clip measured against a person; None measures it against the training corpus.

        Args:
            look: the clip, measured against anybody before.
            person: who is in it, as `enrol` gives; or a stored one with its `name`.
            name: see `person`.

        Raises:
            EmollamaError: the model does not measure people, or the person is of another model.
        """
        if person is None:
            raw = look.unmeasured
            return look if raw is None else replace(raw, channels=look.channels)
        return self._compared(measured(self.person_prior, look, person, self.person_channels, name))

    def answer(
        self,
        look: ClipView,
        explain: bool = True,
        sampling: Sampling | None = None,
        labels: Sequence[str] | None = None,
        coverage: float | None = None,
    ) -> Answer:
        """Label scores (or values) and, if requested and the model can write, a reason.

        `labels` are the words to choose from in place of the model's own set: any words for a
        language model, some of its own for a fusion model; scores of its own are renormalised.
        `coverage` also asks for the set of labels that holds the true one on that share of clips.

        Raises:
            EmollamaError: a coverage of a model that was not calibrated.
        """
        started = time.monotonic()
        self.require_calibrated(coverage, labels)
        found, *alone = self.answers([look, *channels_alone(look, self.artefact.task)], labels)
        found = with_disagreement(found, look, alone)
        if labels is None:
            found = with_coverage(self.calibration, found, coverage)
        if explain and self.writes:
            told = self.reason(look, sampling, found)
            found = replace(found, reason=told.text, reason_from=told.origin)
        return replace(found, seconds=look.observation.took + time.monotonic() - started)

    def require_calibrated(
        self, coverage: float | None, labels: Sequence[str] | None = None
    ) -> None:
        """Raise an error unless the model can give sets of labels; None asks for none.

        Raises:
            EmollamaError: a coverage that is no share, a model without calibration or one label a
                clip, or labels that are not its own.
        """
        if coverage is None:
            return
        require_coverage(coverage)
        if self.artefact.task not in ("label", "label+values"):
            raise EmollamaError(
                f"model '{self.name}' does not answer with one label a clip, which coverage needs"
            )
        if labels is not None:
            raise EmollamaError("coverage is of the model's own labels; it cannot be had of others")
        if self.calibration is None:
            raise EmollamaError(
                f"model '{self.name}' was not calibrated, which coverage needs; calibrate it with "
                "`emollama calibrate`"
            )

    @abstractmethod
    def answers(
        self, looks: Sequence[ClipView], labels: Sequence[str] | None = None, again: bool = True
    ) -> list[Answer]:
        """Answers without reasons about several clips at once, in batches.

        `again` False: nothing more is asked about these clips, so nothing is kept of them.
        """

    def ask(
        self,
        look: ClipView,
        turns: Sequence[Turn],
        sampling: Sampling | None = None,
        stopped: Callable[[], bool] = lambda: False,
        answer: Answer | None = None,
    ) -> Reply:
        """The answer to the last user turn, which comes whole once it is checked (`CheckedReply`).

        Args:
            look: the clip.
            turns: of the conversation; the first and the last are the user's.
            sampling: how the answer is written; greedy, at most 128 tokens, when None.
            stopped: called before each token; True ends the answer.
            answer: whose label a reason has to explain; None asks for it.

        Raises:
            EmollamaError: the model cannot write text, or the order of turns is wrong.
        """
        raise self._writes_no_text()

    def reason(
        self, look: ClipView, sampling: Sampling | None = None, answer: Answer | None = None
    ) -> CheckedReason:
        """Why the model answers as it does, in words that agree with what was measured.

        Raises:
            EmollamaError: the model writes no text.
        """
        sampling = sampling or Sampling(max_new_tokens=REASON_TOKENS)
        question = Turn("user", self.question("reason"))
        reply = self.ask(look, [question], sampling, answer=answer)
        assert isinstance(reply, CheckedReply)
        return reply.whole()

    def prompt(self, look: ClipView, turns: Sequence[Turn]) -> str:
        """The full prompt, with visible special tokens, and ⟨name × n⟩ for a stream."""
        raise self._writes_no_text()

    def question(self, task: str, labels: Sequence[str] | None = None) -> str:
        """The instruction with which a task ("emotion" or "reason") is asked."""
        raise self._writes_no_text()

    def _writes_no_text(self) -> EmollamaError:
        return EmollamaError(
            f"{self.folder}: is {self.artefact.title}, which answers with labels and writes no "
            "text; ask it with `emollama predict`"
        )

    def weights(self, look: ClipView, label: str | None = None) -> Weights | None:
        """The channels' shares in the answer; None for a model without labels.

        Asks for the label with every subset of the channels used: at most eight short prompts.
        `full` is exactly the score of `answer`.
        """
        subject = self.subject(look)
        if subject is None:
            return None
        table = subset_scores(subject, 0)
        # In another batch the same prompt is rounded otherwise: in bfloat16 by up to 0.03.
        scores = self.answer(look, explain=False).scores
        full = table[subject.present(0)] = np.array([scores[x] for x in subject.labels])
        name = label if label is not None else subject.labels[int(full.argmax())]
        if name not in subject.labels:
            raise EmollamaError(f"'{name}' is not a label of this model")
        found = attribution(subject, 0, table, name)
        shares: dict[str, float] = dict.fromkeys(look.used, 0.0)
        for modality in subject.modalities:
            if modality.channel in shares:
                shares[modality.channel] += found.probability[modality.name]
        return Weights(name, found.full, found.empty, shares)

    @abstractmethod
    def subject(self, look: ClipView) -> Subject | None:
        """The clip as the subject of an explanation; None for a model without labels."""

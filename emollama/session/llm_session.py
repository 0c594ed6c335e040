"""The session of a language model."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from emollama.base.errors import EmollamaError
from emollama.base.precision import Precision, Quantisation
from emollama.inputs.person import Person
from emollama.llm.artefact import LlmArtefact
from emollama.llm.batch import Encoded, by_count, to_device
from emollama.llm.decoding import Reply, Sampling
from emollama.llm.interop.engine import EngineReply
from emollama.llm.modeling import TEXT
from emollama.llm.prefix import Prefix, PrefixCache, joined, part
from emollama.llm.processing import EmotionLlamaProcessor, Evidence, Turn
from emollama.llm.scoring import label_distribution, score_labels
from emollama.llm.subject import LlmSubject
from emollama.manifest.labels import LabelSet
from emollama.runs.subject import Subject
from emollama.scoring.reasons.check import CheckedReason
from emollama.session.answer import Answer
from emollama.session.base import Session
from emollama.session.clip_view import ClipView
from emollama.session.reasons import CheckedReply, asks_why, check_of

BATCH = 16


class LlmSession(Session):
    """An EmotionLlama with the encoders of its streams; see `Session`."""

    artefact: LlmArtefact

    def __init__(self, artefact: LlmArtefact, describe: bool = True) -> None:
        super().__init__(artefact, describe)
        self.prefixes = PrefixCache(artefact.model, artefact.processor)

    @classmethod
    def open(
        cls,
        folder: Path,
        dtype: Precision = "auto",
        describe: bool = True,
        quantise: Quantisation | None = None,
    ) -> LlmSession:
        """Load an artefact and build the encoders that its streams name."""
        return cls(LlmArtefact.open(folder, dtype, quantise), describe)

    def _complete(self, look: ClipView) -> ClipView:
        look = replace(look, clues=self.artefact.clues.describe(look.evidence.tracks))
        return replace(look, present=self.artefact.processor.channels(look.evidence))

    def known_as(self, look: ClipView, person: Person | None, name: str | None = None) -> ClipView:
        """The clip measured against a person, and so are its clues."""
        found = super().known_as(look, person, name)
        if person is None:
            return found
        tracks, words = found.evidence.tracks, self.artefact.clues
        streams, prior = self.artefact.processor.streams, self.person_prior
        against = words.compared_with(tracks, streams, prior, person, found.person_name)
        return replace(found, clues=words.describe(tracks), compared_with=against)

    def forget(self, look: ClipView) -> None:
        """Release the keys and values of a clip, for all choices of channels and persons."""
        clip = look.clip_key
        self.prefixes.forget(
            lambda key: isinstance(key, tuple) and key[0].partition("+")[0] == clip
        )

    def limit_memory(self, budget: int) -> None:
        """Limit the bytes of keys and values kept."""
        self.prefixes.budget = budget

    # --- asking --------------------------------------------------------------------------------

    def answers(
        self, looks: Sequence[ClipView], labels: Sequence[str] | None = None, again: bool = True
    ) -> list[Answer]:
        """Answers without reasons; see `Session.answers`.

        Each prompt is continued from its clip's cached prefix; where nothing is asked again, from
        the opening that all prompts of a batch share.
        """
        started = time.monotonic()
        own = self.labels if labels is None or set(labels) <= set(self.labels) else None
        processor = self._processor(None if own else labels)
        names = self.labels if labels is None else LabelSet("chosen", tuple(labels)).labels
        clips: dict[Hashable, Evidence] = {x.cache_key: x.evidence for x in looks} if again else {}
        kept = self.prefixes.of_all(clips)
        question = processor.instruction("emotion")
        prompts = [
            processor.encode_prompt(processor.for_label(x.evidence), question) for x in looks
        ]
        rows = np.zeros((len(looks), len(processor.labels.labels)))
        for group in by_count([len(p.input_ids) for p in prompts], BATCH):
            prefixes = [kept.get(looks[i].cache_key) for i in group]
            rows[group] = self._scores(processor, [prompts[i] for i in group], prefixes)
        rows = processor.combined(rows, [x.evidence for x in looks])
        if own and names != own:  # some of its own: their scores are those of all, renormalised
            rows = rows[:, [own.index(name) for name in names]]
            rows = rows / np.maximum(rows.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        seconds = (time.monotonic() - started) / max(1, len(looks))
        return [
            replace(self._as_answer(look, names, row), seconds=seconds)
            for look, row in zip(looks, rows, strict=True)
        ]

    def _scores(
        self,
        processor: EmotionLlamaProcessor,
        prompts: Sequence[Encoded],
        prefixes: Sequence[Prefix | None],
    ) -> np.ndarray:
        """The language model's distributions [n, K] over the labels."""
        model = self.artefact.model
        known = [(p, p.shared(q)) for p, q in zip(prefixes, prompts, strict=True) if p is not None]
        read = None
        if len(known) == len(prompts) and all(n for _, n in known):
            with torch.inference_mode():
                read = joined(known)
            prompts = [
                part(q, n, len(q.input_ids)) for q, (_, n) in zip(prompts, known, strict=True)
            ]
        batch = to_device(processor.collate(prompts), model.device)
        scores = score_labels(model, batch, processor.label_ids(), read=read)
        return label_distribution(scores).double().cpu().numpy()

    def ask(
        self,
        look: ClipView,
        turns: Sequence[Turn],
        sampling: Sampling | None = None,
        stopped: Callable[[], bool] = lambda: False,
        answer: Answer | None = None,
    ) -> Reply:
        """The answer to the last user turn; see `Session.ask`."""
        prompt = self._encode(look, turns)
        why = asks_why(turns[-1].text, self._whys)

        def check(written: str) -> CheckedReason:
            return check_of(look, answer or self.answers([look])[0], written, why)

        if why and not self.artefact.taught_reasons:
            return CheckedReply(None, check)
        return CheckedReply(self._reply(look, prompt, sampling or Sampling(), stopped), check)

    @cached_property
    def _whys(self) -> frozenset[str]:
        """The questions for a reason that the model was trained on."""
        processor = self.artefact.processor
        count = processor.instruction_count("reason")
        return frozenset(processor.instruction("reason", i).strip() for i in range(count))

    def _reply(
        self, look: ClipView, prompt: Encoded, sampling: Sampling, stopped: Callable[[], bool]
    ) -> Reply:
        room = getattr(self.artefact.model.config.text_config, "max_position_embeddings", None)
        if room and len(prompt.input_ids) + sampling.max_new_tokens > room:
            raise EmollamaError(
                f"the conversation has {len(prompt.input_ids)} tokens; with an answer of "
                f"{sampling.max_new_tokens} it exceeds this model's limit of {room}"
            )
        model, processor = self.artefact.model, self.artefact.processor
        if (engine := self.artefact.engine) is not None:
            return EngineReply(engine, model, processor, prompt, sampling, stopped)
        prefix = self.prefixes.of(look.cache_key, look.evidence)
        return Reply(model, processor, prompt, prefix, sampling, stopped)

    def prompt(self, look: ClipView, turns: Sequence[Turn]) -> str:
        """The prompt in full; see `Session.prompt`."""
        encoded = self._encode(look, turns)
        processor = self.artefact.processor
        shown: list[str] = []
        start = 0
        ids, streams = encoded.input_ids, encoded.stream_ids
        while start < len(ids):
            end = start
            while end < len(ids) and streams[end] == streams[start]:
                end += 1
            if streams[start] == TEXT:
                shown.append(str(processor.tokenizer.decode(ids[start:end])))
            else:
                stream = processor.streams[streams[start]]
                # Streams without text between them are told apart by their length.
                end = start + stream.tokens
                missing = "" if encoded.present[stream.name] else ", missing"
                shown.append(f"⟨{stream.name} × {stream.tokens}{missing}⟩")
            start = end
        return "".join(shown)

    def question(self, task: str, labels: Sequence[str] | None = None) -> str:
        """The instruction with which a task is asked."""
        return self._processor(labels).instruction(task)

    def _encode(self, look: ClipView, turns: Sequence[Turn]) -> Encoded:
        if not turns or turns[-1].role != "user" or turns[0].role != "user":
            raise EmollamaError("a conversation must begin and end with a user turn")
        if any(turn.role not in ("user", "assistant") for turn in turns):
            raise EmollamaError("the role of a turn must be user or assistant")
        return self.artefact.processor.encode_prompt(look.evidence, turns[0].text, turns[1:])

    def _processor(self, labels: Sequence[str] | None) -> EmotionLlamaProcessor:
        """The processor, with other labels if given."""
        if labels is None:
            return self.artefact.processor
        processor = copy.copy(self.artefact.processor)
        processor.labels = LabelSet("chosen", tuple(labels))
        processor.heads = None
        return processor

    def _as_answer(self, look: ClipView, names: Sequence[str], row: np.ndarray) -> Answer:
        return Answer(
            label=names[int(row.argmax())],
            scores=dict(zip(names, row.tolist(), strict=True)),
            channels=look.used,
            clues={c: words for c, words in look.clues.items() if c in look.channels},
            compared_with=look.compared_with,
            text=look.text if "words" in look.channels else None,
            reason=None,
            notes=look.remarks,
            familiar=look.familiar_used,
            speech_seconds=look.observation.speech_seconds,
            absent=look.absent,
            person=look.person_summary,
            language=look.language,
            seconds=0.0,
        )

    def subject(self, look: ClipView) -> Subject:
        """The clip as the subject of an explanation."""
        # What is left out is missing, or it would be asked about in vain.
        used = {i.name for i in self.inputs if i.channel in look.channels}
        evidence = look.evidence
        tracks = {name: t if name in used else None for name, t in evidence.tracks.items()}
        text = look.text if "words" in look.channels else None
        return LlmSubject(
            self.artefact.model,
            self.artefact.processor,
            [replace(evidence, tracks=tracks, text=text)],
        )

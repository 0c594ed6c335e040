"""Transcripts with times: Whisper on the stretches of speech in a clip.

A transcriber makes up words where nobody speaks, and loops on a language that it does not know. So
it only hears what voice activity detects as speech, and uncertain phrases are left out.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emollama.base.device import has_fast_bfloat16
from emollama.base.errors import EmollamaError
from emollama.media.clip import SAMPLE_RATE
from emollama.media.languages import LANGUAGES, Language
from emollama.media.speech import Span, SpeechActivity
from emollama.media.whispers import Whisper, knows_languages

_WINDOW = 28.0  # seconds that are heard at once; Whisper's own window is 30
_TOKENS_A_SECOND, _LEAST_TOKENS, _MOST_TOKENS = 8, 16, 220
_TOKENS_OF_ANY_SCRIPT = 16  # a second: in Hindi a letter is a token
_LEAST_CERTAIN = -1.0  # mean log-probability of a token
_LEAST_ENGLISH = -0.7  # the same, of a transcriber that knows only English: see `Transcriber.hear`
_SURE = -0.33  # the same, of a sentence said again and again (loops at real times: -0.35 and less)
_FASTEST = 3.5  # words a second of one who repeats a sentence, pauses included
_MOST_REPEATED = 2.4  # length over compressed length: a loop compresses well
_STAMP = 0.02  # seconds a time token counts
_SECOND = 50  # such steps


@dataclass(frozen=True)
class Phrase:
    """Words spoken from `start` to `end`, in seconds from the clip's beginning."""

    start: float
    end: float
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"start": self.start, "end": self.end, "text": self.text}


@dataclass(frozen=True)
class Transcript:
    """What is said in a clip: phrases sorted by time, none where nobody speaks.

    `language` is None where a transcriber knows only one, or nobody speaks.
    """

    phrases: tuple[Phrase, ...] = ()
    language: Language | None = None


@dataclass(frozen=True)
class Heard:
    """Tokens of one window, time tokens included, and their mean log-probability."""

    ids: tuple[int, ...]
    certainty: float


class Transcriber:
    """Whisper behind voice activity. Words are in the language that is spoken, one a clip.

    Args:
        folder: a Whisper in the transformers format.
        activity: detects speech.
        language: a code of `LANGUAGES`; None to detect it.

    Raises:
        EmollamaError: the folder cannot be loaded, or its Whisper does not know the language.
    """

    def __init__(self, folder: Path, activity: SpeechActivity, language: str | None = None) -> None:
        # Whoever only needs a transcript's form does without.
        from transformers import WhisperForConditionalGeneration, WhisperProcessor

        self.activity = activity
        try:
            self.model: Any = WhisperForConditionalGeneration.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
            ).eval()
            self.processor: Any = WhisperProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise EmollamaError(f"{folder}: Whisper cannot be loaded: {error}") from error
        tokens = self.processor.tokenizer.get_vocab()
        if "<|notimestamps|>" not in tokens:
            raise EmollamaError(f"{folder}: its tokenizer is not Whisper's: no <|notimestamps|>")
        self.first_stamp = int(tokens["<|notimestamps|>"]) + 1
        self.languages: dict[str, int] = {}
        self._task: list[int] = []
        if knows_languages(folder):
            known = {code: tokens.get(f"<|{code}|>") for code in LANGUAGES}
            self.languages = {code: i for code, i in known.items() if i is not None}
            self._task = [tokens["<|transcribe|>"]]
            if language is not None and language not in self.languages:
                raise EmollamaError(f"{folder}: this Whisper does not know language '{language}'")
        self.language = language

    @classmethod
    def open(cls, chosen: Whisper = Whisper()) -> Transcriber:  # noqa: B008  it is frozen
        """The Whisper that was chosen, with Silero VAD; both are fetched if needed."""
        return cls(chosen.folder(), SpeechActivity.from_asset(), chosen.language)

    def transcribe(self, audio: np.ndarray) -> Transcript:
        """What float32 sound [n] at 16 kHz says."""
        return self.hear(audio, self.activity.spans(audio))

    @torch.inference_mode()
    def hear(self, audio: np.ndarray, spans: Sequence[Span]) -> Transcript:
        """What the stretches of speech say.

        A transcriber that knows only English makes English of other languages, and is not quite
        sure of it. Unless English is set, such windows have no words. With whisper-tiny.en words
        are kept of 21 of 21 clips of RAVDESS (English, certain to -0.29 to -0.59), of none of 34 of
        EMO-DB (German; of 10 at -1, all made up, certain to -0.76 to -0.98), of none of 21 of
        Java-SED (of one at -1), and of 9 of 12 synthetic English voices (of all at -1).
        """
        parts = windows(spans)
        if not parts:
            return Transcript()
        language, known = self._language_of(audio, parts)
        prompt = self.prompt(language)
        english = not self.languages and self.language is None
        phrases: list[Phrase] = []
        for part in parts:
            states = known[part] if part in known else self.states([_cut(audio, part)])
            (heard,) = self.tokens(states, [part], prompt)
            foreign = english and heard.certainty < _LEAST_ENGLISH
            if not foreign and not self.unsure(heard, part.end - part.start):
                phrases += self._phrases(heard.ids, part)
        return Transcript(tuple(phrases), language)

    def _language_of(
        self, audio: np.ndarray, parts: Sequence[Span]
    ) -> tuple[Language | None, dict[Span, Tensor]]:
        """The clip's language, by its longest window, and the states that were made for it."""
        if not self.languages:
            return None, {}
        if self.language is not None:
            return Language(self.language), {}
        longest = max(parts, key=lambda part: part.end - part.start)
        states = self.states([_cut(audio, longest)])
        chances = self.language_chances(states)[0]
        best = int(chances.argmax())
        return Language(list(self.languages)[best], float(chances[best])), {longest: states}

    def language_chances(self, states: Tensor) -> Tensor:
        """Probability [windows, languages] of each of `languages`, in their order."""
        scores, _ = self._next([[self.start_token]] * len(states), states, None)
        return scores[:, list(self.languages.values())].softmax(-1)

    def prompt(self, language: Language | None) -> list[int]:
        """Tokens that tell a multilingual Whisper what to do; none for one that knows English."""
        if language is None or not self.languages:
            return []
        return [self.languages[language.code], *self._task]

    @property
    def start_token(self) -> int:
        """What every sequence of tokens begins with."""
        return int(self.model.generation_config.decoder_start_token_id)

    def states(self, sounds: Sequence[np.ndarray], seconds: int = 30, fast: bool = False) -> Tensor:
        """The encoder's states [sounds, 50 * seconds, width] of sounds [n] at 16 kHz.

        Args:
            sounds: no longer than `seconds`, which silence fills up.
            seconds: Whisper was trained on 30; fewer cost less and give other words where little
                silence follows.
            fast: in bfloat16 where this is fast.
        """
        inputs = self.processor(
            list(sounds), sampling_rate=SAMPLE_RATE, return_tensors="pt",
            max_length=seconds * SAMPLE_RATE,
        )  # fmt: skip
        narrow = fast and has_fast_bfloat16(torch.device("cpu"))
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            states: Tensor = self._encoder(seconds)(inputs.input_features).last_hidden_state
        return states.float()

    def _encoder(self, seconds: int) -> Any:
        """The encoder for sounds of so many seconds: the same weights, fewer positions."""
        whole = self.model.get_encoder()
        places = seconds * _SECOND
        if places >= whole.config.max_source_positions:
            return whole
        cut = copy.copy(whole)
        cut._modules = dict(whole._modules)
        cut.config = copy.copy(whole.config)
        cut.config.max_source_positions = places
        positions = whole.embed_positions.weight[:places]
        cut.embed_positions = torch.nn.Embedding.from_pretrained(positions)
        return cut

    def tokens(
        self, states: Tensor, parts: Sequence[Span], prompt: Sequence[int] = ()
    ) -> list[Heard]:
        """The likeliest tokens of windows whose states [windows, 1500, width] are given."""
        rate = _TOKENS_OF_ANY_SCRIPT if self.languages else _TOKENS_A_SECOND
        seconds = [part.end - part.start for part in parts]
        most = [int(min(_MOST_TOKENS, _LEAST_TOKENS + rate * length)) for length in seconds]
        return self._greedy(states, most, prompt)

    def unsure(self, heard: Heard, seconds: float) -> bool:
        """Whether nothing is said in so many seconds, it is uncertain, or the transcriber loops."""
        text = self.text(heard.ids)
        if not text or heard.certainty < _LEAST_CERTAIN:
            return True
        return repeats(text) and not self._said_again(heard, seconds)

    def _said_again(self, heard: Heard, seconds: float) -> bool:
        """Whether a text that repeats itself is somebody who does: surely heard, at real times.

        A transcriber that loops is less sure, mostly says the time by whole seconds or not at all,
        and in a short stretch has more words than anybody.
        """
        if len(self.text(heard.ids).split()) > _FASTEST * seconds:
            return False
        steps = [i - self.first_stamp for i in heard.ids if i > self.first_stamp]
        real = sum(step % _SECOND != 0 for step in steps) > len(steps) / 2
        return real and heard.certainty >= _SURE

    def _next(self, ids: Sequence[Sequence[int]], states: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """Scores [rows, tokens] of what follows, and the cache with `ids` in it."""
        out = self.model.model.decoder(
            input_ids=torch.tensor(ids),
            encoder_hidden_states=states,
            past_key_values=cache,
            use_cache=True,
        )
        return self.model.proj_out(out.last_hidden_state[:, -1]).float(), out.past_key_values

    def _rules(self, begin: int) -> Callable[[Tensor, Tensor], Tensor]:
        """What may follow: time tokens in pairs, and no tokens that the model's settings forbid."""
        from transformers import WhisperTimeStampLogitsProcessor

        settings = self.model.generation_config
        settings.no_timestamps_token_id = self.first_stamp - 1
        in_pairs = WhisperTimeStampLogitsProcessor(settings, begin)
        never = list(settings.suppress_tokens or ())
        first = [*never, *(settings.begin_suppress_tokens or ())]

        def allowed(sequences: Tensor, scores: Tensor) -> Tensor:
            # transformers' own processors look through the whole vocabulary at each step
            scores[:, first if sequences.shape[1] == begin else never] = -torch.inf
            return in_pairs(sequences, scores)

        return allowed

    def _greedy(
        self, states: Tensor, most: Sequence[int], prompt: Sequence[int] = ()
    ) -> list[Heard]:
        """The likeliest tokens one by one, time tokens included, of each row of states.

        `prompt` stands between the start token and them: language and task. A row has up to `most`
        tokens, and leaves the batch when it ends.
        """
        begin = [self.start_token, *prompt]
        rules = self._rules(len(begin))
        end = self.model.generation_config.eos_token_id
        ids: list[list[int]] = [[] for _ in most]
        logs: list[list[float]] = [[] for _ in most]
        rows = list(range(len(most)))
        new: list[list[int]] = [begin for _ in rows]
        cache: Any = None
        while rows:
            scores, cache = self._next(new, states, cache)
            sequences = torch.tensor([begin + ids[row] for row in rows])
            best, tokens = rules(sequences, scores).log_softmax(-1).max(-1)
            for row, log, token in zip(rows, best.tolist(), tokens.tolist(), strict=True):
                logs[row].append(log)
                if token != end:
                    ids[row].append(token)
            going = [
                place
                for place, (row, token) in enumerate(zip(rows, tokens.tolist(), strict=True))
                if token != end and len(ids[row]) < most[row]
            ]
            if len(going) < len(rows):
                states = states[going]
                cache.batch_select_indices(torch.tensor(going, dtype=torch.long))
            rows = [rows[place] for place in going]
            new = [[ids[row][-1]] for row in rows]
        return [
            Heard(tuple(row), float(np.mean(logged))) for row, logged in zip(ids, logs, strict=True)
        ]

    def _phrases(self, ids: Sequence[int], span: Span) -> list[Phrase]:
        """Cut at time tokens, which enclose each phrase."""
        found: list[Phrase] = []
        start, words = 0.0, []
        for token in [*ids, None]:
            stamp = token is not None and token >= self.first_stamp
            if token is not None and not stamp:
                words.append(token)
                continue
            # The text may end without a time; then it lasts to the end of what was heard.
            length = span.end - span.start
            end = (token - self.first_stamp) * _STAMP if token is not None else length
            end = min(end, length)
            text = self.text(words)
            if text:
                low, high = span.start + min(start, end), span.start + end
                found.append(Phrase(round(low, 2), round(high, 2), text))
            start, words = end, []
        return found

    def text(self, ids: Sequence[int]) -> str:
        """What tokens say, without the times among them."""
        plain = [i for i in ids if i < self.first_stamp]
        return str(self.processor.tokenizer.decode(plain, skip_special_tokens=True)).strip()


def _cut(audio: np.ndarray, span: Span) -> np.ndarray:
    return audio[round(span.start * SAMPLE_RATE) : round(span.end * SAMPLE_RATE)]


def windows(spans: Sequence[Span]) -> list[Span]:
    """Join neighbouring stretches as long as they fit one window.

    A longer stretch is cut into equal parts.
    """
    found: list[Span] = []
    for span in spans:
        if found and span.end - found[-1].start <= _WINDOW:
            found[-1] = Span(found[-1].start, span.end)
            continue
        parts = int(np.ceil((span.end - span.start) / _WINDOW))
        edges = np.linspace(span.start, span.end, parts + 1)
        found += [Span(float(a), float(b)) for a, b in pairwise(edges)]
    return found


def repeats(text: str) -> bool:
    """Whether a text repeats itself, as a transcriber that loops does."""
    letters = {letter: i for i, letter in enumerate(sorted(set(text)))}
    # A byte a letter: in UTF-8 a letter of Tamil has three, two of them nearly always the same.
    one_each = not text.isascii() and len(letters) <= 256
    data = bytes(map(letters.__getitem__, text)) if one_each else text.encode()
    return len(data) > 24 and len(data) / len(zlib.compress(data)) > _MOST_REPEATED

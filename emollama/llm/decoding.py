"""Writing an answer token by token behind a prefix that has been read, so that it can be streamed
and stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

from emollama.base.errors import EmollamaError
from emollama.llm.batch import Encoded
from emollama.llm.modeling import EmotionLlama
from emollama.llm.prefix import Prefix, part, read_on
from emollama.llm.processing import EmotionLlamaProcessor

LONGEST_ANSWER = 2048
_COLDEST = 1e-3  # below it the likeliest token is all there is, and logits over it are infinite
Finish = Literal["stop", "length", "stopped"]
"""Why an answer ended: by itself, at its greatest length, or because it was told to."""


@dataclass(frozen=True)
class Sampling:
    """How an answer is written.

    Attributes:
        temperature: 0 takes the likeliest token each time.
        top_p: tokens are drawn from the likeliest that make up this much probability.
        max_new_tokens: greatest length.
        seed: of the draws; None for another each time.
        stops: texts at which the answer ends; they are not part of it.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 128
    seed: int | None = None
    stops: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 5:
            raise EmollamaError(f"temperature must be 0 to 5, not {self.temperature:g}")
        if not 0 < self.top_p <= 1:
            raise EmollamaError(f"top_p must be above 0 and at most 1, not {self.top_p:g}")
        if not 1 <= self.max_new_tokens <= LONGEST_ANSWER:
            raise EmollamaError(
                f"an answer has 1 to {LONGEST_ANSWER} tokens, not {self.max_new_tokens}"
            )
        if self.seed is not None and not 0 <= self.seed < 1 << 63:
            raise EmollamaError(f"a seed is a whole number from 0 to 2^63 - 1, not {self.seed}")
        if any(not text for text in self.stops):
            raise EmollamaError("a text at which an answer ends must not be empty")


class Reply:
    """An answer while it is written: iterate over its pieces of text.

    Attributes:
        prompt_tokens: how many the prompt has.
        cached_tokens: how many of them had been read before.
        new_tokens: how many have been written so far.
        finish: why it ended; None until then.
    """

    def __init__(
        self,
        model: EmotionLlama,
        processor: EmotionLlamaProcessor,
        prompt: Encoded,
        prefix: Prefix | None,
        sampling: Sampling,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._model, self._processor = model, processor
        self._prompt, self._prefix = prompt, prefix
        self._sampling, self._stopped = sampling, stopped
        self.prompt_tokens = len(prompt.input_ids)
        self.cached_tokens = 0 if prefix is None else prefix.shared(prompt)
        self.new_tokens = 0
        self.finish: Finish | None = None

    def __iter__(self) -> Iterator[str]:
        """Pieces of text; together they are the answer, without space before it."""
        ids: list[int] = []
        told = 0
        # So much is held back, as it may be the beginning of a text that ends the answer.
        held = max((len(text) - 1 for text in self._sampling.stops), default=0)
        tokenizer = self._processor.tokenizer
        text = ""
        for token in self._tokens():
            ids.append(token)
            self.new_tokens = len(ids)
            text = str(tokenizer.decode(ids, skip_special_tokens=True)).lstrip()
            ends = [at for stop in self._sampling.stops if (at := text.find(stop)) >= 0]
            if ends:
                text, self.finish = text[: min(ends)], "stop"
                break
            # A character of several bytes comes out only when its last token is there.
            safe = len(text) - held - (len(text) - len(text.rstrip("\ufffd")))
            if safe > told:
                yield text[told:safe]
                told = safe
        if len(text) > told:
            yield text[told:]

    def _tokens(self) -> Iterator[int]:
        draw = drawing(self._sampling, next(self._model.parameters()).device)
        before = self.cached_tokens
        with torch.inference_mode():
            cache: Any = None if self._prefix is None else self._prefix.copy(before)
            rest = part(self._prompt, before, self.prompt_tokens)
            hidden, cache = read_on(self._model, self._processor, [rest], cache, before)
        position = self.prompt_tokens
        seen = list(self._prompt.input_ids)
        while True:
            if self._stopped():
                self.finish = "stopped"
                return
            with torch.inference_mode():
                logits = self._model.get_output_embeddings()(hidden[:, -1]).float()
                token = draw(torch.tensor([seen]), logits)
            if token == self._processor.end_id:
                self.finish = "stop"
                return
            seen.append(token)
            yield token
            if len(seen) - self.prompt_tokens >= self._sampling.max_new_tokens:
                self.finish = "length"
                return
            with torch.inference_mode():
                step = Encoded([token], [-1], [-100], {}, {})
                hidden, cache = read_on(self._model, self._processor, [step], cache, position)
            position += 1


def drawing(sampling: Sampling, device: torch.device) -> Callable[[Tensor, Tensor], int]:
    """The choice of a token from tokens so far [1, n] and logits [1, V]."""
    if sampling.temperature == 0:
        return lambda seen, logits: int(logits.argmax())
    warpers: Any = LogitsProcessorList(
        [TemperatureLogitsWarper(max(sampling.temperature, _COLDEST))]
    )
    if sampling.top_p < 1:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    generator = torch.Generator(device)
    if sampling.seed is None:
        generator.seed()
    else:
        generator.manual_seed(sampling.seed)

    def draw(seen: Tensor, logits: Tensor) -> int:
        chances = warpers(seen.to(device), logits).softmax(-1)
        return int(torch.multinomial(chances, 1, generator=generator))

    return draw

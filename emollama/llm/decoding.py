"""Answers token by token: the one loop by which an EmotionLlama writes, for one clip or a batch.

It reads on from a prefix that is kept, can be streamed and stopped, and draws from a generator of
its own, so that answers written at the same time in several threads do not disturb one another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor
from transformers import TemperatureLogitsWarper, TopPLogitsWarper

from emollama.base.errors import EmollamaError
from emollama.llm.batch import Encoded
from emollama.llm.modeling import EmotionLlama
from emollama.llm.prefix import Prefix, joined, part, read_on
from emollama.llm.processing import EmotionLlamaProcessor

LONGEST_ANSWER = 2048
_COLDEST = 1e-3  # below it the likeliest token is all there is, and logits over it are infinite
Finish = Literal["stop", "length", "stopped"]
"""Why an answer ended: by itself, at its maximum length, or because it was stopped."""


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
                f"max_new_tokens must be 1 to {LONGEST_ANSWER}, not {self.max_new_tokens}"
            )
        if self.seed is not None and not 0 <= self.seed < 1 << 63:
            raise EmollamaError(f"seed must be a whole number from 0 to 2^63 - 1, not {self.seed}")
        if any(not text for text in self.stops):
            raise EmollamaError("a stop text must not be empty")


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
        self._steps: Steps | None = None

    @property
    def greedy(self) -> bool:
        """Whether it takes the likeliest token each time."""
        return self._sampling.temperature == 0

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

    @property
    def writing(self) -> Reply | None:
        """What writes the answer; None where nothing is written."""
        return self

    def _tokens(self) -> Iterator[int]:
        next_token = self._reader()
        while self.new_tokens < self._sampling.max_new_tokens:
            if self._stopped():
                self.finish = "stopped"
                return
            token = next_token()
            if token is None:
                self.finish = "stop"
                return
            yield token
        self.finish = "length"

    def _reader(self) -> Callable[[], int | None]:
        """What gives the next token, None at the answer's end."""
        steps = self._steps or Steps([self])
        return lambda: steps.next_of(self)


class Steps:
    """The tokens of answers that are written side by side, of one model and one sampling.

    A step for several costs little more than a step for one: it is the weights that are read.
    """

    def __init__(self, replies: Sequence[Reply]) -> None:
        first, most = replies[0], max(r._sampling.max_new_tokens for r in replies)
        self._tokens: dict[Reply, deque[int | None]] = {reply: deque() for reply in replies}
        self._error: Exception | None = None
        self._steps = token_steps(
            first._model, first._processor, [r._prompt for r in replies],
            replace(first._sampling, max_new_tokens=most), [r._prefix for r in replies],
        )  # fmt: skip

    def next_of(self, reply: Reply) -> int | None:
        """The next token of an answer; None at its end. A failure is that of all of them."""
        mine = self._tokens[reply]
        if not mine:
            if self._error is not None:
                raise self._error
            try:
                step = next(self._steps, None)
            except Exception as error:
                self._error = error
                raise
            for tokens, token in zip(self._tokens.values(), step or (), strict=step is not None):
                tokens.append(token)
        return mine.popleft() if mine else None


def write_together(replies: Sequence[Reply]) -> None:
    """Let those of some answers that take the likeliest token be written side by side.

    None of them has begun.
    """
    alike = [one for r in replies if (one := r.writing) is not None and one.greedy]
    if len(alike) > 1:
        steps = Steps(alike)
        for one in alike:
            one._steps = steps


def generate(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    prompts: Sequence[Encoded],
    sampling: Sampling,
    each: int = 1,
) -> list[list[int]]:
    """Token ids of the answer to each prompt, without its end, written as one batch.

    `each`: answers to a prompt, one behind the other.
    """
    answers: list[list[int]] = [[] for _ in range(each * len(prompts))]
    for step in token_steps(model, processor, prompts, sampling, each=each):
        for answer, token in zip(answers, step, strict=True):
            if token is not None:
                answer.append(token)
    return answers


def token_steps(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    prompts: Sequence[Encoded],
    sampling: Sampling,
    prefixes: Sequence[Prefix | None] = (),
    each: int = 1,
) -> Iterator[list[int | None]]:
    """The next token of every prompt, step by step; None where the answer has ended.

    The last step is the one by which all answers have ended, or the `max_new_tokens`-th.

    Args:
        model: in evaluation mode.
        processor: lays out prompts.
        prompts: of like lengths, or much of the batch is padding.
        sampling: how tokens are chosen.
        prefixes: what has been read of each prompt; of use where it is known of all.
        each: answers to a prompt, one behind the other; the prompt is read once.
    """
    draw = drawing(sampling, model.device)
    decoder, table = cast(Any, model.language_model.get_decoder()), model.get_input_embeddings()
    lengths = torch.tensor([len(p.input_ids) for p in prompts], device=model.device)
    known = [(x, x.shared(p)) for x, p in zip(prefixes, prompts, strict=False) if x is not None]
    with torch.inference_mode():
        if len(known) == len(prompts) and all(n for _, n in known):
            rest = [part(p, n, len(p.input_ids)) for p, (_, n) in zip(prompts, known, strict=True)]
            hidden, cache, mask = read_on(model, processor, rest, joined(known))
        else:
            hidden, cache, mask = read_on(model, processor, prompts)
    if each > 1:
        cache.batch_repeat_interleave(each)
        hidden, mask, lengths = (x.repeat_interleave(each, 0) for x in (hidden, mask, lengths))
    going = [True] * len(lengths)
    for count in range(1, sampling.max_new_tokens + 1):
        with torch.inference_mode():
            drawn = draw(model.get_output_embeddings()(hidden[:, -1]).float())
            tokens = drawn.tolist()
        going = [g and t != processor.end_id for g, t in zip(going, tokens, strict=True)]
        yield [t if g else None for g, t in zip(going, tokens, strict=True)]
        if not any(going) or count == sampling.max_new_tokens:
            return
        with torch.inference_mode():
            mask = torch.cat([mask, mask.new_ones(len(lengths), 1)], dim=1)
            out = decoder(
                inputs_embeds=table(drawn[:, None]),
                attention_mask=mask if len(lengths) > 1 else None,
                position_ids=(lengths + count - 1)[:, None],
                past_key_values=cache,
                use_cache=True,
            )
            hidden, cache = out.last_hidden_state, out.past_key_values


def drawing(sampling: Sampling, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The choice of tokens [B] from logits [B, V]."""
    if sampling.temperature == 0:
        return lambda logits: logits.argmax(-1)
    warpers: list[Any] = [TemperatureLogitsWarper(max(sampling.temperature, _COLDEST))]
    if sampling.top_p < 1:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    generator = torch.Generator(device)
    if sampling.seed is None:
        generator.seed()
    else:
        generator.manual_seed(sampling.seed)

    def draw(logits: Tensor) -> Tensor:
        for warper in warpers:  # neither looks at the tokens before
            logits = warper(None, logits)
        return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]

    return draw

"""Reading a clip once: the keys and values of all that stands before the question.

The prompt of a clip is mostly the same whatever is asked. Its common beginning is run through the
language model once; each question takes a copy, cut to what its own prompt shares, and reads on
from there. The numbers are those of reading the whole prompt anew.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from emollama.llm.batch import Encoded
from emollama.llm.modeling import TEXT, EmotionLlama
from emollama.llm.processing import EmotionLlamaProcessor, Evidence

BUDGET = 1 << 30
"""Bytes of keys and values that are kept before the clip asked about longest ago is let go."""


@dataclass(frozen=True)
class Prefix:
    """A beginning that has been read: its tokens, and the keys and values [1, h, n, d] a layer."""

    input_ids: tuple[int, ...]
    stream_ids: tuple[int, ...]
    layers: tuple[tuple[Tensor, Tensor], ...]

    @property
    def bytes(self) -> int:
        """Memory of the keys and values."""
        return sum(t.numel() * t.element_size() for layer in self.layers for t in layer)

    def shared(self, prompt: Encoded) -> int:
        """How many tokens a prompt has in common with this, at least one of its own left over."""
        return min(common(self, prompt), len(prompt.input_ids) - 1)

    def copy(self, length: int) -> DynamicCache:
        """A cache of the first `length` tokens, which may grow without a trace in this one."""
        cache = DynamicCache()
        for index, (keys, values) in enumerate(self.layers):
            # Growing joins into a new tensor, so a view is copy enough.
            cache.update(keys[:, :, :length], values[:, :, :length], index)
        return cache


def common(one: Prefix | Encoded, other: Prefix | Encoded) -> int:
    """How many tokens two prompts of the same evidence begin with in common."""
    pairs = zip(
        zip(one.input_ids, one.stream_ids, strict=True),
        zip(other.input_ids, other.stream_ids, strict=True),
        strict=False,
    )
    count = 0
    for mine, theirs in pairs:
        if mine != theirs:
            break
        count += 1
    return count


def part(prompt: Encoded, start: int, end: int) -> Encoded:
    """The positions [start, end) of a prompt, with the streams that stand there."""
    streams = set(prompt.stream_ids[start:end]) - {TEXT}
    names = list(prompt.features)
    # Features are held in the order in which their streams first stand in the prompt.
    order = list(dict.fromkeys(s for s in prompt.stream_ids if s != TEXT))
    kept = {names[i] for i, stream in enumerate(order) if stream in streams}
    return Encoded(
        prompt.input_ids[start:end],
        prompt.stream_ids[start:end],
        prompt.labels[start:end],
        {k: v for k, v in prompt.features.items() if k in kept},
        {k: v for k, v in prompt.present.items() if k in kept},
    )


class PrefixCache:
    """Prefixes of clips by key, within a budget of memory; safe to use from several threads.

    A language model whose cache is not plain keys and values (a sliding window, a state) is read
    anew for every question.
    """

    def __init__(
        self, model: EmotionLlama, processor: EmotionLlamaProcessor, budget: int = BUDGET
    ) -> None:
        self.model, self.processor, self.budget = model, processor, budget
        self._kept: OrderedDict[Hashable, Prefix] = OrderedDict()
        self._lock = threading.Lock()
        self._plain = True

    def of(self, key: Hashable, evidence: Evidence) -> Prefix | None:
        """The prefix of a clip; `key` must change whenever the evidence does."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = self.read(evidence) if self._plain else None
        if found is None:
            return None
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > 1 and self.bytes > self.budget:
                self._kept.popitem(last=False)
        return found

    @property
    def bytes(self) -> int:
        """Memory of all that is kept."""
        return sum(prefix.bytes for prefix in self._kept.values())

    def forget(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._kept.clear()

    @torch.inference_mode()
    def read(self, evidence: Evidence) -> Prefix | None:
        """Run what the prompts of any two questions about this evidence have in common."""
        prompt = self.processor.encode_prompt(evidence, "Which?")
        length = common(prompt, self.processor.encode_prompt(evidence, "a clip"))
        if not length:
            return None
        cache = read_on(self.model, self.processor, part(prompt, 0, length), None, 0)[1]
        layers = cast(Any, cache).layers
        if any(type(layer) is not DynamicLayer for layer in layers):
            self._plain = False
            return None
        return Prefix(
            tuple(prompt.input_ids[:length]),
            tuple(prompt.stream_ids[:length]),
            tuple((layer.keys, layer.values) for layer in layers),
        )


def read_on(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    prompt: Encoded,
    cache: Any,
    before: int,
) -> tuple[Tensor, Any]:
    """Read a prompt behind `before` tokens that `cache` holds.

    Returns:
        Last hidden states [1, n, H], and the cache with these tokens in it.
    """
    batch = processor.collate([prompt])
    device = next(model.parameters()).device
    embeddings = model.embed(
        batch["input_ids"].to(device),
        batch["stream_ids"].to(device),
        {k: v.to(device) for k, v in batch["features"].items()},
        {k: v.to(device) for k, v in batch["present"].items()},
    )
    decoder = cast(Any, model.language_model.get_decoder())
    out = decoder(
        inputs_embeds=embeddings,
        position_ids=torch.arange(before, before + embeddings.shape[1], device=device)[None],
        past_key_values=cache,
        use_cache=True,
    )
    return out.last_hidden_state, out.past_key_values

"""Prefix cache: the keys and values of a clip's prompt before the question.

Most of a clip's prompt is the same for every question. Its common prefix is run through the
language model once; each question copies it, cut to the shared part, and continues from there.
Results are the same as with the whole prompt.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from emollama.llm.batch import Encoded, to_device
from emollama.llm.modeling import TEXT, EmotionLlama
from emollama.llm.processing import EmotionLlamaProcessor, Evidence

BUDGET = 1 << 30
"""Limit on stored keys and values in bytes; the least recently used clip is dropped first."""
_TOGETHER = 16  # clips that are read at once


@dataclass(frozen=True)
class Prefix:
    """A cached prefix: its tokens, and keys and values [1, h, n, d] per layer."""

    input_ids: tuple[int, ...]
    stream_ids: tuple[int, ...]
    layers: tuple[tuple[Tensor, Tensor], ...]

    @property
    def bytes(self) -> int:
        """Memory of the keys and values."""
        return sum(t.numel() * t.element_size() for layer in self.layers for t in layer)

    def shared(self, prompt: Encoded) -> int:
        """Number of tokens that a prompt shares with this prefix, short of its last token."""
        return min(common(self, prompt), len(prompt.input_ids) - 1)


def common(one: Prefix | Encoded, other: Prefix | Encoded) -> int:
    """Length of the common prefix of two prompts with the same evidence."""
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
    """The positions [start, end) of a prompt, with the streams there."""
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

    A language model whose cache is not plain keys and values (a sliding window, a state) reads
    every prompt in full.
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
        return self.of_all({key: evidence})[key]

    def of_all(self, clips: Mapping[Hashable, Evidence]) -> dict[Hashable, Prefix | None]:
        """The prefixes of several clips by key; missing ones are read in one batch."""
        with self._lock:
            found: dict[Hashable, Prefix | None] = {k: self._kept.get(k) for k in clips}
        missing = [key for key, prefix in found.items() if prefix is None]
        for at in range(0, len(missing), _TOGETHER):
            keys = missing[at : at + _TOGETHER]
            found.update(zip(keys, self.read([clips[k] for k in keys]), strict=True))
        with self._lock:
            for key, prefix in found.items():
                if prefix is not None:
                    self._kept[key] = prefix
                    self._kept.move_to_end(key)
            while len(self._kept) > 1 and self.bytes > self.budget:
                self._kept.popitem(last=False)
        return found

    @property
    def bytes(self) -> int:
        """Memory of all stored prefixes."""
        return sum(prefix.bytes for prefix in self._kept.values())

    def forget(self, which: Callable[[Hashable], bool] = lambda key: True) -> None:
        """Drop the prefixes of matching keys; all by default."""
        with self._lock:
            for key in [k for k in self._kept if which(k)]:
                del self._kept[key]

    @torch.inference_mode()
    def read(self, evidence: Sequence[Evidence]) -> list[Prefix | None]:
        """Run the part of each clip's prompt that all its questions share."""
        beginnings = [self._beginning(e) for e in evidence]
        rows = [p for p in beginnings if p.input_ids]
        if not rows or not self._plain:
            return [None] * len(beginnings)
        _, cache, _ = read_on(self.model, self.processor, rows)
        layers = cast(Any, cache).layers
        if any(type(layer) is not DynamicLayer for layer in layers):
            self._plain = False
            return [None] * len(beginnings)
        found: list[Prefix | None] = []
        row = 0
        for prompt in beginnings:
            if not prompt.input_ids:
                found.append(None)
                continue
            # Rows are filled up on the left; a slice of its own lets go of the batch.
            mine = slice(-len(prompt.input_ids), None)
            kept = [tuple(t[row : row + 1, :, mine].clone() for t in (layer.keys, layer.values))
                    for layer in layers]  # fmt: skip
            found.append(
                Prefix(tuple(prompt.input_ids), tuple(prompt.stream_ids), cast(Any, tuple(kept)))
            )
            row += 1
        return found

    def _beginning(self, evidence: Evidence) -> Encoded:
        prompt = self.processor.encode_prompt(evidence, "Which?")
        return part(prompt, 0, common(prompt, self.processor.encode_prompt(evidence, "a clip")))


def joined(prefixes: Sequence[tuple[Prefix, int]]) -> tuple[DynamicCache, Tensor]:
    """One cache of several prefixes, each cut to its own length and padded on the left.

    Returns:
        The cache, and int64 [B]: how many tokens of each row are real.
    """
    lengths = [length for _, length in prefixes]
    longest = max(lengths)
    cache = DynamicCache()
    for index in range(len(prefixes[0][0].layers)):
        rows = [
            [F.pad(t[:, :, :n], (0, 0, longest - n, 0)) for t in prefix.layers[index]]
            for prefix, n in prefixes
        ]
        keys, values = (torch.cat(parts) for parts in zip(*rows, strict=True))
        cache.update(keys, values, index)
    return cache, torch.tensor(lengths, device=prefixes[0][0].layers[0][0].device)


def read_on(
    model: EmotionLlama,
    processor: EmotionLlamaProcessor,
    prompts: Sequence[Encoded],
    read: tuple[DynamicCache, Tensor] | None = None,
) -> tuple[Tensor, Any, Tensor]:
    """Read prompts, behind what has been `read` of each as `joined` gives it.

    Returns:
        Last hidden states [B, n, H], the cache with these tokens in it, and int64 [B, m]: which of
        its positions are real.
    """
    batch = to_device(processor.collate(prompts), model.device)
    embeddings = model.embed(
        batch["input_ids"], batch["stream_ids"], batch["features"], batch["present"]
    )
    mask, places, cache = batch["attention_mask"], batch["position_ids"], None
    if read is not None:
        cache, before = read
        width = cache.get_seq_length()
        known = torch.arange(width, device=before.device) >= width - before[:, None]
        mask = torch.cat([known.to(mask.dtype), mask], dim=1)
        places = places + before[:, None]
    decoder = cast(Any, model.language_model.get_decoder())
    out = decoder(
        inputs_embeds=embeddings,
        attention_mask=mask if len(prompts) > 1 else None,
        position_ids=places,
        past_key_values=cache,
        use_cache=True,
    )
    return out.last_hidden_state, out.past_key_values, mask

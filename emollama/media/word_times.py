"""When each word is spoken: where Whisper's decoder looks as it writes the word.

Some heads of the decoder's cross-attention follow the sound; which ones is published with the
weights (`alignment_heads` of the generation settings). The text is written once more with the sound
before it; the attention of those heads gives each token a likeness to each 20 ms of sound, and
dynamic time warping the likeliest order-keeping path through it, as openai/whisper does it
(whisper/timing.py). Then words are joined from tokens and cut to the speech around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from emollama.media.languages import Language
from emollama.media.speech import Span
from emollama.media.transcript import Phrase, Transcriber

_STEP = 0.02  # seconds a state of the encoder lasts
_SHORTEST = 0.02  # seconds of a word
_OPENING = "([{\"'“‘«¿¡-–—<"  # punctuation that a space may stand before belongs to the next word
_CLOSING = "。！？；，、：…"  # scripts without spaces: a clause ends here


@torch.inference_mode()
def timed_words(
    transcriber: Transcriber,
    states: Tensor,
    said: Sequence[Sequence[int]],
    parts: Sequence[Span],
    speech: Sequence[Span],
    language: Language | None = None,
) -> list[list[Phrase]]:
    """The words of windows, one a phrase, in order, each inside its window.

    Args:
        transcriber: what `said` was heard by.
        states: encoder's states [windows, 1500, width].
        said: tokens of each window; time tokens among them do not matter.
        parts: the windows, in seconds.
        speech: stretches of speech. A word that dynamic time warping stretches over a pause is cut
            to the stretch that most of it is in, one wholly in a pause is at the stretch next to
            it.
        language: of the words, for a multilingual transcriber.

    Returns:
        For each window its words with punctuation attached. In a script without spaces a word is a
        clause up to its punctuation.
    """
    special = set(transcriber.processor.tokenizer.all_special_ids)
    texts = [[i for i in ids if i < transcriber.first_stamp and i not in special] for ids in said]
    rows = [row for row, text in enumerate(texts) if text]
    found: list[list[Phrase]] = [[] for _ in said]
    if not rows:
        return found
    begin = [transcriber.start_token, *transcriber.prompt(language), transcriber.first_stamp - 1]
    looks = _attention(transcriber, states[rows], [begin + texts[row] for row in rows])
    for row, look in zip(rows, looks, strict=True):
        seconds = parts[row].end - parts[row].start
        steps = max(1, round(seconds / _STEP))
        # The place before a token decides it: from the last of the beginning to the last token.
        likeness = _likeness(look[:, len(begin) - 1 : len(begin) + len(texts[row]), :steps],
                             int(transcriber.model.config.median_filter_width))  # fmt: skip
        times = parts[row].start + path_starts(likeness) * _STEP
        words = join_tokens(pieces(transcriber, texts[row]))
        edges = [times[word.first] for word in words] + [times[len(texts[row])]]
        found[row] = _placed([word.text for word in words], edges, parts[row], speech)
    return found


def _attention(transcriber: Transcriber, states: Tensor, ids: Sequence[Sequence[int]]) -> Tensor:
    """Attention scores [rows, heads, tokens, 1500] of the heads that follow the sound."""
    decoder = transcriber.model.model.decoder
    longest = max(map(len, ids))
    # What stands behind a row's end changes nothing before it.
    padded = torch.stack([pad(torch.tensor(list(row)), (0, longest - len(row))) for row in ids])
    heads = alignment_heads(transcriber.model)
    asked: dict[int, Tensor] = {}
    with ExitStack() as hooks:
        for layer in {layer for layer, _ in heads}:

            def keep(_: Any, given: Any, named: Any, layer: int = layer) -> None:
                asked[layer] = given[0] if given else named["hidden_states"]

            attention = decoder.layers[layer].encoder_attn
            handle = attention.register_forward_pre_hook(keep, with_kwargs=True)
            hooks.callback(handle.remove)
        decoder(input_ids=padded, encoder_hidden_states=states, use_cache=False)
    scores = []
    for layer, head in heads:
        attention = decoder.layers[layer].encoder_attn
        own = slice(head * attention.head_dim, (head + 1) * attention.head_dim)
        query = (attention.q_proj(asked[layer]) * attention.scaling)[..., own]
        key = states @ attention.k_proj.weight[own].T
        scores.append(query @ key.transpose(1, 2))
    return torch.stack(scores, 1).float()


def alignment_heads(model: Any) -> list[tuple[int, int]]:
    """Layer and head of the heads that follow the sound; all of the upper half if none are said."""
    said = getattr(model.generation_config, "alignment_heads", None)
    if said:
        return [(int(layer), int(head)) for layer, head in said]
    layers, heads = model.config.decoder_layers, model.config.decoder_attention_heads
    return [(layer, head) for layer in range(layers // 2, layers) for head in range(heads)]


def _likeness(scores: Tensor, width: int) -> np.ndarray:
    """Likeness [tokens, steps] of tokens to sound from attention scores [heads, tokens, steps].

    Each head's attention is standardised over the tokens and smoothed by a median of `width` steps,
    then the mean of the heads is taken.
    """
    weights = scores.softmax(-1)
    spread, mean = torch.std_mean(weights, dim=-2, keepdim=True, correction=0)
    weights = (weights - mean) / spread.clamp_min(1e-9)
    side = width // 2
    if weights.shape[-1] > side:
        wide = pad(weights, (side, side), mode="reflect")
        weights = wide.unfold(-1, width, 1).median(-1).values
    return weights.mean(0).double().numpy()


def path_starts(likeness: np.ndarray) -> np.ndarray:
    """The step [tokens] at which each token begins on the likeliest path.

    The path goes from the first token at the first step to the last at the last, one token or one
    step or both at a time (dynamic time warping), and gathers the most `likeness` [tokens, steps].
    """
    tokens, steps = likeness.shape
    places = np.arange(steps)
    entered = np.zeros((tokens, steps), int)  # where the path to here came into the row
    earlier = np.zeros((tokens, steps), bool)  # and whether it came from the step before
    gained = np.cumsum(likeness[0])
    for token in range(1, tokens):
        before = np.concatenate(([-np.inf], gained[:-1]))
        earlier[token] = before > gained
        passed = np.cumsum(likeness[token])
        entering = np.maximum(gained, before) - (passed - likeness[token])
        best = np.maximum.accumulate(entering)
        entered[token] = np.maximum.accumulate(np.where(entering == best, places, 0))
        gained = best + passed
    starts = np.zeros(tokens, int)
    place = steps - 1
    for token in range(tokens - 1, 0, -1):
        starts[token] = entered[token, place]
        place = starts[token] - int(earlier[token, starts[token]])
    return starts


@dataclass(frozen=True)
class Piece:
    """Text of one or more tokens that is whole letters, and the place of the first of them."""

    first: int
    text: str


def pieces(transcriber: Transcriber, ids: Sequence[int]) -> list[Piece]:
    """Whole letters of tokens; a letter of another script may need several tokens."""
    found: list[Piece] = []
    first = 0
    for place in range(len(ids)):
        text = transcriber.processor.tokenizer.decode(list(ids[first : place + 1]))
        if "\ufffd" not in text or place + 1 == len(ids):
            found.append(Piece(first, text))
            first = place + 1
    return found


def join_tokens(pieces: Sequence[Piece]) -> list[Piece]:
    """Words from the pieces of a text, in order, punctuation attached.

    A word begins at a space, and behind the end of a clause in a script without spaces. Punctuation
    alone belongs to the word before it; brackets, quotes and dashes with a space before them belong
    to the next.
    """
    words: list[Piece] = []
    waiting: Piece | None = None
    for piece in pieces:
        bare = piece.text.strip()
        if not bare:
            continue
        spaced = piece.text[0].isspace() or (not words and waiting is None)
        if waiting is not None:
            words.append(Piece(waiting.first, waiting.text + bare))
            waiting = None
        elif spaced and all(letter in _OPENING for letter in bare):
            waiting = Piece(piece.first, bare)
        elif words and (_no_word(bare) or not (spaced or words[-1].text[-1] in _CLOSING)):
            words[-1] = Piece(words[-1].first, words[-1].text + bare)
        else:
            words.append(Piece(piece.first, bare))
    if waiting is not None and words:
        words[-1] = Piece(words[-1].first, words[-1].text + waiting.text)
    return [word for word in words if not _no_word(word.text)]


def _no_word(text: str) -> bool:
    return not any(letter.isalnum() for letter in text)


def _placed(
    texts: Sequence[str], edges: Sequence[float], part: Span, speech: Sequence[Span]
) -> list[Phrase]:
    """Words at their times, cut to speech, none before the one before it."""
    near = [Span(max(span.start, part.start), min(span.end, part.end)) for span in speech
            if span.start < part.end and span.end > part.start] or [part]  # fmt: skip
    found: list[Phrase] = []
    low = part.start
    for text, start, end in zip(texts, edges[:-1], edges[1:], strict=True):
        # Most seconds in common; where there are none, the fewest between.
        home = max(near, key=lambda span: min(end, span.end) - max(start, span.start))
        start = max(low, min(max(start, home.start), home.end - _SHORTEST))
        end = max(min(end, home.end), start + _SHORTEST)
        found.append(Phrase(round(start, 2), round(min(end, part.end), 2), text))
        low = found[-1].end
    return found

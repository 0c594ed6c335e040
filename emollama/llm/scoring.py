"""A label is scored, not parsed: the probability of each word of the label set as the answer.

All label words follow the prompt in one row. Under a tree mask each word sees the prompt and
itself, its positions restarting where the prompt ends, so one forward pass replaces one per label;
the head runs only where a label token is predicted. The common prefix of a batch's prompts is read
once. If a backbone does not support 4-D masks, `method="cache"` runs the prompt once and the words
on a repeated key-value cache.
"""

from __future__ import annotations

from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor

from emollama.base.errors import require_known
from emollama.llm.modeling import TEXT, EmotionLlama

Method = Literal["tree", "cache"]


@torch.inference_mode()
def score_labels(
    model: EmotionLlama,
    batch: dict[str, Any],
    label_ids: list[list[int]],
    method: Method = "tree",
    read: tuple[Any, Tensor] | None = None,
) -> Tensor:
    """Log-probability [B, K] of each label's token sequence as the answer, summed over tokens.

    Args:
        batch: left-padded prompts from `EmotionLlamaProcessor.collate`.
        label_ids: for each of K labels its token ids with the end of the answer, so that the sums
            are probabilities of complete answers and a label may be a prefix of another.
        read: the part before these prompts: a cache with left-padded rows, and [B] the number of
            real tokens of each (see `prefix.joined`); tree only.
    """
    require_known("method", method, get_args(Method))
    if method == "tree":
        return _score_tree(model, batch, label_ids, read)
    return _score_cache(model, batch, label_ids)


def label_distribution(scores: Tensor) -> Tensor:
    """Probabilities [B, K] over the label set from log-probabilities [B, K]."""
    return scores.float().softmax(dim=-1)


def shared_prefix(batch: dict[str, Any]) -> int:
    """Length of the common prefix of all prompts of a batch, before any stream.

    The system sentence and the chat template's opening are the same for every clip; at least one
    token of each prompt is left over.
    """
    lengths = batch["attention_mask"].sum(1)
    if len(lengths) < 2:
        return 0
    first = batch["attention_mask"].shape[1] - lengths
    steps = torch.arange(int(lengths.min()) - 1, device=lengths.device)
    places = first[:, None] + steps
    ids = batch["input_ids"].gather(1, places)
    text = batch["stream_ids"].gather(1, places) == TEXT
    same = ((ids == ids[:1]) & text).all(0)
    return int(same.long().cumprod(0).sum())


def _score_tree(
    model: EmotionLlama,
    batch: dict[str, Any],
    label_ids: list[list[int]],
    read: tuple[Any, Tensor] | None,
) -> Tensor:
    device = batch["input_ids"].device
    table = model.get_input_embeddings()
    decoder = cast(Any, model.language_model.get_decoder())
    lengths = batch["attention_mask"].sum(1, keepdim=True)
    if read is None:
        # What all prompts begin with is read once, and its keys and values serve every row.
        shared, cache = shared_prefix(batch), None
        if shared:
            start = int(batch["input_ids"].shape[1] - lengths[0])
            opening = batch["input_ids"][:1, start : start + shared]
            cache = decoder(inputs_embeds=table(opening), use_cache=True).past_key_values
            cache.batch_repeat_interleave(len(lengths))
        rest = {key: batch[key][:, shared:] for key in ("input_ids", "stream_ids", "position_ids")}
        prompts, length = rest["input_ids"].shape
        # In a row that begins later the cut took padding, and left as much of the prefix in its
        # place.
        real = torch.arange(length, device=device) >= length + shared - lengths
        known = real.new_ones(prompts, shared)
    else:
        cache, before = read
        prompts, length = batch["input_ids"].shape
        rest = {**batch, "position_ids": batch["position_ids"] + before[:, None]}
        lengths = lengths + before[:, None]
        real = batch["attention_mask"].bool()
        width = cache.get_seq_length()
        known = torch.arange(width, device=device) >= width - before[:, None]

    # The last token of a label is only predicted, never read.
    inputs = [ids[:-1] for ids in label_ids]
    flat = torch.tensor([i for ids in inputs for i in ids], device=device, dtype=torch.long)
    owner = torch.tensor([k for k, ids in enumerate(inputs) for _ in ids], device=device)
    offset = torch.tensor([j for ids in inputs for j in range(len(ids))], device=device)
    added = len(flat)

    embeddings = torch.cat(
        [
            model.embed(rest["input_ids"], rest["stream_ids"], batch["features"], batch["present"]),
            table(flat).expand(prompts, -1, -1),
        ],
        dim=1,
    )
    size = length + added
    allowed = torch.ones(size, size, dtype=torch.bool, device=device).tril()
    same = (owner[:, None] == owner[None, :]) if added else allowed.new_zeros(0, 0)
    allowed[length:, length:] &= same
    valid = torch.cat([real, allowed.new_ones(prompts, added)], dim=1)
    mask = allowed[None] & valid[:, None, :]
    # A padding position attends to itself, or its row of the softmax would be empty (NaN).
    mask |= torch.eye(size, dtype=torch.bool, device=device)
    mask = torch.cat([known[:, None].expand(-1, size, -1), mask], dim=2)
    bias = torch.zeros(mask.shape, dtype=embeddings.dtype, device=device)
    bias.masked_fill_(~mask, torch.finfo(embeddings.dtype).min)
    positions = torch.cat([rest["position_ids"], lengths + offset[None]], dim=1)
    hidden = decoder(
        inputs_embeds=embeddings,
        attention_mask=bias[:, None],
        position_ids=positions,
        past_key_values=cache,
        use_cache=cache is not None,
    ).last_hidden_state

    logs = _heads(model, hidden[:, length - 1 :]).log_softmax(dim=-1)
    scores = logs.new_zeros(prompts, len(label_ids))
    cursor = 1
    for k, ids in enumerate(label_ids):
        scores[:, k] = logs[:, 0, ids[0]]
        for j, token in enumerate(ids[1:]):
            scores[:, k] += logs[:, cursor + j, token]
        cursor += len(ids) - 1
    return scores


def _heads(model: EmotionLlama, hidden: Tensor) -> Tensor:
    """Logits float32 [B, n, V] of hidden states [B, n, H].

    As one matrix: with three dimensions, torch copies the head's weights for every row of the
    batch.
    """
    logits = model.get_output_embeddings()(hidden.reshape(-1, hidden.shape[-1]))
    return logits.unflatten(0, hidden.shape[:2]).float()


def _score_cache(model: EmotionLlama, batch: dict[str, Any], label_ids: list[list[int]]) -> Tensor:
    device = batch["input_ids"].device
    prompts, _ = batch["input_ids"].shape
    labels = len(label_ids)
    embeddings = model.embed(
        batch["input_ids"], batch["stream_ids"], batch["features"], batch["present"]
    )
    decoder = model.language_model.get_decoder()
    out = decoder(
        inputs_embeds=embeddings,
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        use_cache=True,
    )
    first = _heads(model, out.last_hidden_state[:, -1:]).log_softmax(dim=-1)
    scores = torch.stack([first[:, 0, ids[0]] for ids in label_ids], dim=1)
    longest = max(len(ids) - 1 for ids in label_ids)
    if longest == 0:
        return scores
    cache = out.past_key_values
    cache.batch_repeat_interleave(labels)
    rows = torch.zeros(labels, longest, dtype=torch.long, device=device)
    valid = torch.zeros(labels, longest, dtype=torch.long, device=device)
    for k, ids in enumerate(label_ids):
        rows[k, : len(ids) - 1] = torch.tensor(ids[:-1], device=device)
        valid[k, : len(ids) - 1] = 1
    mask = torch.cat(
        [batch["attention_mask"].repeat_interleave(labels, 0), valid.repeat(prompts, 1)], dim=1
    )
    lengths = batch["attention_mask"].sum(1).repeat_interleave(labels)
    hidden = decoder(
        inputs_embeds=model.get_input_embeddings()(rows.repeat(prompts, 1)),
        attention_mask=mask,
        position_ids=lengths[:, None] + torch.arange(longest, device=device)[None],
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    logs = _heads(model, hidden).log_softmax(dim=-1).unflatten(0, (prompts, labels))
    for k, ids in enumerate(label_ids):
        for j, token in enumerate(ids[1:]):
            scores[:, k] += logs[:, k, j, token]
    return scores

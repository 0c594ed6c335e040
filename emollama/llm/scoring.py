"""A label is scored, not parsed: the probability of each word of the label set as the answer.

All label words follow the prompt in one row. Under a tree mask each word sees the prompt and
itself, its positions restarting where the prompt ends, so one forward gives what a forward a label
would; the head runs only where a label token is predicted. Where a backbone does not take 4-D
masks, `method="cache"` runs the prompt once and the words on a repeated key-value cache.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from emollama.llm.modeling import EmotionLlama

Method = Literal["tree", "cache"]


@torch.inference_mode()
def score_labels(
    model: EmotionLlama,
    batch: dict[str, Any],
    label_ids: list[list[int]],
    method: Method = "tree",
) -> Tensor:
    """Log-probability [B, K] of each label's token sequence as the answer, summed over tokens.

    Args:
        batch: left-padded prompts, as `EmotionLlamaProcessor.collate` makes them.
        label_ids: for each of K labels its token ids, the end of the answer included, so that the
            sums are probabilities of whole answers and a label may be the beginning of another.
    """
    if method == "tree":
        return _score_tree(model, batch, label_ids)
    return _score_cache(model, batch, label_ids)


def label_distribution(scores: Tensor) -> Tensor:
    """Probabilities [B, K] over the label set from log-probabilities [B, K]."""
    return scores.float().softmax(dim=-1)


def _score_tree(model: EmotionLlama, batch: dict[str, Any], label_ids: list[list[int]]) -> Tensor:
    device = batch["input_ids"].device
    prompts, length = batch["input_ids"].shape
    # The last token of a label is only predicted, never read.
    inputs = [ids[:-1] for ids in label_ids]
    flat = torch.tensor([i for ids in inputs for i in ids], device=device, dtype=torch.long)
    owner = torch.tensor([k for k, ids in enumerate(inputs) for _ in ids], device=device)
    offset = torch.tensor([j for ids in inputs for j in range(len(ids))], device=device)
    added = len(flat)

    table = model.get_input_embeddings()
    embeddings = torch.cat(
        [
            model.embed(
                batch["input_ids"], batch["stream_ids"], batch["features"], batch["present"]
            ),
            table(flat).expand(prompts, -1, -1),
        ],
        dim=1,
    )
    size = length + added
    allowed = torch.ones(size, size, dtype=torch.bool, device=device).tril()
    same = (owner[:, None] == owner[None, :]) if added else allowed.new_zeros(0, 0)
    allowed[length:, length:] &= same
    valid = torch.cat([batch["attention_mask"].bool(), allowed.new_ones(prompts, added)], dim=1)
    mask = allowed[None] & valid[:, None, :]
    # A padding position attends to itself, or its row of the softmax would be empty (NaN).
    mask |= torch.eye(size, dtype=torch.bool, device=device)
    bias = torch.zeros(mask.shape, dtype=embeddings.dtype, device=device)
    bias.masked_fill_(~mask, torch.finfo(embeddings.dtype).min)
    lengths = batch["attention_mask"].sum(1, keepdim=True)
    positions = torch.cat([batch["position_ids"], lengths + offset[None]], dim=1)
    hidden = model.language_model.get_decoder()(
        inputs_embeds=embeddings,
        attention_mask=bias[:, None],
        position_ids=positions,
        use_cache=False,
    ).last_hidden_state

    logs = model.get_output_embeddings()(hidden[:, length - 1 :]).float().log_softmax(dim=-1)
    scores = logs.new_zeros(prompts, len(label_ids))
    cursor = 1
    for k, ids in enumerate(label_ids):
        scores[:, k] = logs[:, 0, ids[0]]
        for j, token in enumerate(ids[1:]):
            scores[:, k] += logs[:, cursor + j, token]
        cursor += len(ids) - 1
    return scores


def _score_cache(model: EmotionLlama, batch: dict[str, Any], label_ids: list[list[int]]) -> Tensor:
    device = batch["input_ids"].device
    prompts, _ = batch["input_ids"].shape
    labels = len(label_ids)
    embeddings = model.embed(
        batch["input_ids"], batch["stream_ids"], batch["features"], batch["present"]
    )
    decoder = model.language_model.get_decoder()
    head = model.get_output_embeddings()
    out = decoder(
        inputs_embeds=embeddings,
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        use_cache=True,
    )
    first = head(out.last_hidden_state[:, -1:]).float().log_softmax(dim=-1)
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
    logs = head(hidden).float().log_softmax(dim=-1).unflatten(0, (prompts, labels))
    for k, ids in enumerate(label_ids):
        for j, token in enumerate(ids[1:]):
            scores[:, k] += logs[:, k, j, token]
    return scores

"""Memory that autograd keeps of a forward pass, counted without computing it."""

from __future__ import annotations

from typing import Any, cast, get_args

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

from emollama.base.errors import require_known
from emollama.llm.modeling import EmotionLlama
from emollama.llm.options import Attention

ATTENTION = "emollama_kept_by_fused_attention"


class _FusedAttention(torch.autograd.Function):
    """Tensors kept by fused attention kernels: query, key, value, output, log-sums."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        output = torch.empty_like(query)
        sums = query.new_empty(query.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, output, sums)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError("a plan has no backward pass")


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any
) -> tuple[Tensor, None]:
    output = _FusedAttention.apply(query, key, value)
    return cast(Tensor, output).transpose(1, 2), None


AttentionInterface.register(ATTENTION, _attend)


def activation_bytes(
    model: EmotionLlama, rows: int, positions: int, attention: Attention = "sdpa"
) -> tuple[float, float]:
    """Bytes in bfloat16 that autograd keeps of a forward of the decoder over so many positions.

    The model is on the meta device: every storage that is saved for the backward pass counts
    once, parameters do not. Layers are equal, so two of them show what each adds.

    Args:
        model: with LoRA, and without values.
        rows: of the micro-batch.
        positions: in all its rows together.
        attention: "eager" keeps the weights of all pairs of positions, the others do not.

    Returns:
        Bytes kept, and bytes kept with checkpointing: the inputs of all layers and one layer's
            tensors.
    """
    require_known("attention", attention, get_args(Attention))
    decoder = cast(Any, model.language_model.get_decoder())
    layers, implementation = decoder.layers, decoder.config._attn_implementation
    types = {parameter: parameter.dtype for parameter in decoder.parameters()}
    training = decoder.training
    width = max(1, positions // rows)
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    try:
        decoder.to(torch.bfloat16).train()
        decoder.config._attn_implementation = "eager" if attention == "eager" else ATTENTION
        own = {p.untyped_storage()._cdata for p in decoder.parameters()}
        x = torch.empty(
            rows, width, model.config.text_config.hidden_size,
            dtype=torch.bfloat16, device="meta", requires_grad=True,
        )  # fmt: skip
        # A mask of its own keeps the library from looking into positions that have no values.
        kind = torch.bfloat16 if attention == "eager" else torch.bool
        mask = torch.empty(rows, 1, width, width, dtype=kind, device="meta")
        sizes = []
        for count in (1, 2):
            kept.clear()
            decoder.layers = layers[:count]
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
                decoder(inputs_embeds=x, attention_mask=mask, use_cache=False)
            sizes.append(sum(t.untyped_storage().nbytes() for c, t in kept.items() if c not in own))
    finally:
        decoder.layers = layers
        decoder.config._attn_implementation = implementation
        decoder.train(training)
        for parameter, dtype in types.items():
            parameter.data = parameter.data.to(dtype)
    layer = sizes[1] - sizes[0]
    rest = sizes[0] - layer
    inputs = len(layers) * x.numel() * x.element_size()
    return float(rest + len(layers) * layer), float(rest + layer + inputs)

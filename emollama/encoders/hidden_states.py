"""A transformers model that returns chosen hidden states and stops after the last one needed.

What transformers calls `hidden_states` differs between families and versions in whether the last
one is normalised. Here the numbering is the same for all: state 0 goes into the first block, state
i comes out of block i, and the last state is `last_hidden_state`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from emollama.base.errors import EmollamaError
from emollama.encoders.compute import Compute

_UNUSED = ("masked_spec_embed", "pooler.", "mask_token")
"""Parameters that a frozen encoder never uses; released folders may lack them."""


class HiddenStates:
    """A loaded model and its stack of blocks.

    Args:
        model: transformers' model, possibly without the blocks after `last`.
        blocks: the stack inside it.
        total: number of blocks of the full model.
    """

    def __init__(self, model: Any, blocks: nn.ModuleList, total: int) -> None:
        self.model, self.blocks, self.total = model, blocks, total

    @property
    def device(self) -> torch.device:
        """The model's device."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The model's number format."""
        return next(self.model.parameters()).dtype

    @torch.inference_mode()
    def output(self, name: str, inputs: Mapping[str, Tensor]) -> Tensor:
        """An output of the model by its name in transformers, float32 on the CPU.

        Floating-point inputs are cast to the model's type.
        """
        outputs = self.model(**{name: self._placed(x) for name, x in inputs.items()})
        return outputs[name].float().cpu()

    @torch.inference_mode()
    def sum_of(
        self, wanted: Sequence[int], inputs: Mapping[str, Tensor], normalised: bool = True
    ) -> Tensor:
        """The sum of the chosen states, float32 [batch, tokens, D] on the CPU.

        Floating-point inputs are cast to the model's type. Without `normalised` the last state is
        what comes out of the last block.
        """
        kept: dict[int, Tensor] = {}

        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            kept[0] = args[0] if args else kwargs["hidden_states"]

        def after(number: int) -> Any:
            def keep(module: nn.Module, args: Any, output: Any) -> None:
                kept[number] = output[0] if isinstance(output, tuple) else output

            return keep

        hooks = []
        if 0 in wanted:
            hooks.append(self.blocks[0].register_forward_pre_hook(before, with_kwargs=True))
        for number in wanted:
            if 0 < number < self.total or (number == self.total and not normalised):
                hooks.append(self.blocks[number - 1].register_forward_hook(after(number)))
        try:
            outputs = self.model(**{name: self._placed(x) for name, x in inputs.items()})
        finally:
            for hook in hooks:
                hook.remove()
        if self.total in wanted and normalised:
            kept[self.total] = outputs.last_hidden_state
        # Summed in float32: four states of a float16 model may leave its range.
        return torch.stack([kept[number].float() for number in wanted]).sum(dim=0).cpu()

    def _placed(self, x: Tensor) -> Tensor:
        return x.to(self.device, self.dtype) if x.is_floating_point() else x.to(self.device)


def load_hidden_states(
    model_class: Any,
    folder: Path,
    config: Any,
    last: int,
    blocks: str,
    compute: Compute,
    part: str = "",
    **arguments: Any,
) -> HiddenStates:
    """Load the model of a folder up to the hidden state `last`.

    Args:
        model_class: of transformers.
        folder: config.json and *.safetensors.
        config: of the whole model.
        last: the highest state needed; later blocks are not loaded.
        blocks: path of the stack inside the model, such as "encoder.layers".
        compute: device and number format.
        part: attribute of the loaded model that is kept ("encoder"), or "" for all of it.
        arguments: for the model's constructor.

    Raises:
        EmollamaError: the weights cannot be read, a tensor is missing or has another shape.
    """
    total = config.num_hidden_layers
    kept = type(config).from_dict(config.to_dict())
    kept.num_hidden_layers = max(1, last)
    try:
        model, info = model_class.from_pretrained(
            folder,
            config=kept,
            dtype=compute.torch_dtype(),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            **arguments,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise EmollamaError(f"{folder}: cannot be loaded: {reason}") from error
    missing = [k for k in sorted(info["missing_keys"]) if not any(part in k for part in _UNUSED)]
    if missing:
        raise EmollamaError(
            f"{folder}: its weights lack '{missing[0]}'"
            + (f" and {len(missing) - 1} other tensors" if len(missing) > 1 else "")
        )
    if part:
        model = getattr(model, part)
    model.eval().requires_grad_(False).to(compute.torch_device())
    stack = model.get_submodule(blocks)
    return HiddenStates(model, stack, total)

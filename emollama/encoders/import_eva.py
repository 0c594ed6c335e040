"""Converts the released `eva_vit_g.pth` into a folder for transformers' Blip2VisionModel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from emollama.assets.convert import WEIGHTS
from emollama.assets.pickled import read_tensors
from emollama.base.errors import EmollamaError
from emollama.base.files import written_whole

LAYERS, HEADS, SIDE = 39, 16, 448

_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
_IN_BLOCK = {
    "norm1.weight": "layer_norm1.weight",
    "norm1.bias": "layer_norm1.bias",
    "attn.qkv.weight": "self_attn.qkv.weight",
    "attn.proj.weight": "self_attn.projection.weight",
    "attn.proj.bias": "self_attn.projection.bias",
    "norm2.weight": "layer_norm2.weight",
    "norm2.bias": "layer_norm2.bias",
    "mlp.fc1.weight": "mlp.fc1.weight",
    "mlp.fc1.bias": "mlp.fc1.bias",
    "mlp.fc2.weight": "mlp.fc2.weight",
    "mlp.fc2.bias": "mlp.fc2.bias",
}
_BIASES = ("attn.q_bias", "attn.v_bias")
_DEAD = re.compile(r"(norm|fc_norm|head)\.(weight|bias)")
"""After the last block: BLIP-2 reads the tower's output before them."""


@dataclass(frozen=True)
class EvaReport:
    """Counts of a checkpoint's tensors by what was done with them."""

    taken: int
    dropped_blocks: int
    dropped_head: int

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"matched {self.taken} tensors",
            f"dropped {self.dropped_blocks}: the block after the last one in use",
            f"dropped {self.dropped_head}: norm and head after the blocks",
        ]


def convert_eva(
    checkpoint: Path, out: Path, *, layers: int = LAYERS, heads: int = HEADS, side: int = SIDE
) -> EvaReport:
    """Write config.json and model.safetensors (float32) of EVA's ViT-g.

    The file's last block is dropped, the positions of its 16×16 patches are stretched to 32×32
    (bicubic, class token kept), the q and v biases get zeros for k between them, and the norm after
    the tower has no scale and shift.

    Args:
        checkpoint: the file; only its tensors are unpickled.
        out: folder; must be missing or empty.
        layers: blocks to keep; the file may have one more.
        heads: attention heads.
        side: picture size in pixels.

    Raises:
        EmollamaError: the file is not such a checkpoint: a tensor is missing, left over or of
            another shape.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise EmollamaError(f"{out}: exists and is not empty; choose another folder")
    tensors = read_tensors(checkpoint)
    for name in ("cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias"):
        if name not in tensors:
            raise EmollamaError(f"{checkpoint}: lacks '{name}'; it is not an eva_vit_g.pth")
    patch = tensors["patch_embed.proj.weight"]
    if patch.ndim != 4 or patch.shape[1] != 3 or patch.shape[2] != patch.shape[3]:
        raise EmollamaError(
            f"{checkpoint}: 'patch_embed.proj.weight' is {list(patch.shape)}, expected "
            "[width, 3, patch, patch]"
        )
    width, patch_side = patch.shape[0], patch.shape[2]
    if not patch.numel() or width % heads or side % patch_side:
        raise EmollamaError(
            f"{checkpoint}: is {width} wide with patches of {patch_side}, which do not fit "
            f"{heads} heads and {side} pixels; it is not an eva_vit_g.pth"
        )
    state: dict[str, Tensor] = {
        "embeddings.class_embedding": tensors["cls_token"],
        "embeddings.patch_embedding.weight": patch,
        "embeddings.patch_embedding.bias": tensors["patch_embed.proj.bias"],
        "embeddings.position_embedding": _positions(
            checkpoint, tensors["pos_embed"], width, side // patch_side
        ),
        "post_layernorm.weight": torch.ones(width),
        "post_layernorm.bias": torch.zeros(width),
    }
    blocks, beyond, dead = _sorted_out(checkpoint, tensors, layers)
    for number in range(layers):
        state |= _block(checkpoint, number, blocks.get(number, {}))
    hidden = _check_shapes(checkpoint, state, width, layers)
    _write(out, state, width=width, hidden=hidden, layers=layers, heads=heads,
           patch_side=patch_side, side=side)  # fmt: skip
    return EvaReport(len(tensors) - beyond - dead, beyond, dead)


def _sorted_out(
    path: Path, tensors: dict[str, Tensor], layers: int
) -> tuple[dict[int, dict[str, Tensor]], int, int]:
    """Blocks by number and name, and counts of tensors in the extra block and of unused ones."""
    blocks: dict[int, dict[str, Tensor]] = {}
    beyond = dead = 0
    for name, tensor in tensors.items():
        if m := _BLOCK.fullmatch(name):
            number = int(m[1])
            if m[2] not in (*_IN_BLOCK, *_BIASES) or number > layers:
                raise EmollamaError(f"{path}: '{name}' has no place in this tower")
            if number == layers:
                beyond += 1
            else:
                blocks.setdefault(number, {})[m[2]] = tensor
        elif _DEAD.fullmatch(name):
            dead += 1
        elif name not in ("cls_token", "pos_embed") and not name.startswith("patch_embed.proj."):
            raise EmollamaError(f"{path}: '{name}' has no place in this tower")
    return blocks, beyond, dead


def _block(path: Path, number: int, found: dict[str, Tensor]) -> dict[str, Tensor]:
    for name in (*_IN_BLOCK, *_BIASES):
        if name not in found:
            raise EmollamaError(f"{path}: lacks 'blocks.{number}.{name}'")
    ours = f"encoder.layers.{number}"
    query, value = (found[name].float() for name in _BIASES)
    return {
        **{f"{ours}.{name}": found[theirs] for theirs, name in _IN_BLOCK.items()},
        # Attention is blind to what is added to every key alike.
        f"{ours}.self_attn.qkv.bias": torch.cat([query, torch.zeros_like(query), value]),
    }


def _positions(path: Path, table: Tensor, width: int, side: int) -> Tensor:
    """[1, 1 + n², width] to [1, 1 + side², width]."""
    count = table.shape[1] - 1 if table.ndim == 3 else 0
    have = round(max(count, 0) ** 0.5)
    if have < 1 or table.shape != (1, have * have + 1, width):
        raise EmollamaError(
            f"{path}: 'pos_embed' is {list(table.shape)}, expected [1, 1 + n*n, {width}]"
        )
    table = table.float()
    if have == side:
        return table
    grid = table[:, 1:].reshape(1, have, have, width).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, (side, side), mode="bicubic", align_corners=False)
    return torch.cat([table[:, :1], grid.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


def _check_shapes(path: Path, state: dict[str, Tensor], width: int, layers: int) -> int:
    """Check the shape of every tensor of the state; returns the width of the MLP."""
    hidden = len(state["encoder.layers.0.mlp.fc1.bias"])
    in_block = {
        "self_attn.qkv.weight": (3 * width, width),
        "self_attn.qkv.bias": (3 * width,),
        "self_attn.projection.weight": (width, width),
        "mlp.fc1.weight": (hidden, width),
        "mlp.fc1.bias": (hidden,),
        "mlp.fc2.weight": (width, hidden),
    }
    names = [f"encoder.layers.{number}.{name}" for number in range(layers)
             for name in (*_IN_BLOCK.values(), "self_attn.qkv.bias")]  # fmt: skip
    for name in names:
        wanted = in_block.get(name.split(".", 3)[3], (width,))
        if tuple(state[name].shape) != wanted:
            raise EmollamaError(
                f"{path}: the tensor for '{name}' is {list(state[name].shape)}, "
                f"expected {list(wanted)}"
            )
    for name, shape in (("class_embedding", (1, 1, width)), ("patch_embedding.bias", (width,))):
        if tuple(state[f"embeddings.{name}"].shape) != shape:
            raise EmollamaError(
                f"{path}: the tensor for '{name}' is {list(state[f'embeddings.{name}'].shape)}, "
                f"expected {list(shape)}"
            )
    return hidden


def _write(
    out: Path, state: dict[str, Tensor], *, width: int, hidden: int, layers: int, heads: int,
    patch_side: int, side: int,
) -> None:  # fmt: skip
    from transformers import Blip2VisionConfig

    config = Blip2VisionConfig(
        hidden_size=width, intermediate_size=hidden, num_hidden_layers=layers,
        num_attention_heads=heads, image_size=side, patch_size=patch_side, layer_norm_eps=1e-6,
        qkv_bias=True, architectures=["Blip2VisionModel"],
    )  # fmt: skip
    with written_whole(out) as draft:
        config.save_pretrained(draft)
        save_file(
            {name: tensor.float().contiguous().clone() for name, tensor in state.items()},
            draft / WEIGHTS,
            metadata={"format": "pt"},
        )

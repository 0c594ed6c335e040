"""EVA's ViT-g: the released names, read and run, equal to the forward pass written out here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from emollama.assets.folders import link
from emollama.base.errors import EmollamaError
from emollama.encoders.eva import DEVIATION, MEAN, EvaEncoder
from emollama.encoders.import_eva import convert_eva
from emollama.encoders.table import parse_encoder
from emollama.media.clip import Clip
from tests.encoders.published import film

WIDTH, HEADS, HIDDEN, PATCH, SIDE, LAYERS, GRID = 24, 3, 40, 7, 56, 2, 4


def released(blocks: int = LAYERS + 1) -> dict[str, Tensor]:
    """A random state dict in the names of eva_vit_g.pth, in float16, with a 4x4 grid."""
    torch.manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, GRID * GRID + 1, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (WIDTH,),
        "norm.weight": (WIDTH,),
        "norm.bias": (WIDTH,),
        "head.weight": (10, WIDTH),
        "head.bias": (10,),
    }
    for i in range(blocks):
        at = f"blocks.{i}."
        for norm in ("norm1", "norm2"):
            shapes |= {f"{at}{norm}.weight": (WIDTH,), f"{at}{norm}.bias": (WIDTH,)}
        shapes |= {
            f"{at}attn.q_bias": (WIDTH,),
            f"{at}attn.v_bias": (WIDTH,),
            f"{at}attn.qkv.weight": (3 * WIDTH, WIDTH),
            f"{at}attn.proj.weight": (WIDTH, WIDTH),
            f"{at}attn.proj.bias": (WIDTH,),
            f"{at}mlp.fc1.weight": (HIDDEN, WIDTH),
            f"{at}mlp.fc1.bias": (HIDDEN,),
            f"{at}mlp.fc2.weight": (WIDTH, HIDDEN),
            f"{at}mlp.fc2.bias": (WIDTH,),
        }
    return {name: (0.3 * torch.randn(shape)).half() for name, shape in shapes.items()}


def by_hand(state: dict[str, Tensor], image: np.ndarray) -> Tensor:
    """[65, WIDTH]: the tower as BLIP-2 runs it, from the released tensors."""
    w = {name: tensor.double() for name, tensor in state.items()}
    small = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels = (np.asarray(small) / 255 - MEAN) / DEVIATION
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    x = F.conv2d(x, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=PATCH)
    x = torch.cat([w["cls_token"], x.flatten(2).transpose(1, 2)], dim=1)
    grid = w["pos_embed"][:, 1:].view(1, GRID, GRID, WIDTH).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, (SIDE // PATCH,) * 2, mode="bicubic", align_corners=False)
    x = x + torch.cat([w["pos_embed"][:, :1], grid.flatten(2).transpose(1, 2)], dim=1)
    for i in range(LAYERS):
        b = {
            n.removeprefix(f"blocks.{i}."): t for n, t in w.items() if n.startswith(f"blocks.{i}.")
        }
        y = F.layer_norm(x, (WIDTH,), b["norm1.weight"], b["norm1.bias"], 1e-6)
        bias = torch.cat([b["attn.q_bias"], torch.zeros(WIDTH), b["attn.v_bias"]])
        q, k, v = (
            part.unflatten(2, (HEADS, -1)).transpose(1, 2)
            for part in F.linear(y, b["attn.qkv.weight"], bias).chunk(3, dim=2)
        )
        weights = ((q * (WIDTH // HEADS) ** -0.5) @ k.transpose(2, 3)).softmax(3)
        y = (weights @ v).transpose(1, 2).flatten(2)
        x = x + F.linear(y, b["attn.proj.weight"], b["attn.proj.bias"])
        y = F.layer_norm(x, (WIDTH,), b["norm2.weight"], b["norm2.bias"], 1e-6)
        y = F.gelu(F.linear(y, b["mlp.fc1.weight"], b["mlp.fc1.bias"]))
        x = x + F.linear(y, b["mlp.fc2.weight"], b["mlp.fc2.bias"])
    return F.layer_norm(x, (WIDTH,), eps=1e-5)[0]


def convert(state: dict[str, Tensor], folder: Path) -> Path:
    torch.save(state, folder / "eva.pth")
    convert_eva(folder / "eva.pth", folder / "eva", layers=LAYERS, heads=HEADS, side=SIDE)
    return folder / "eva"


def test_both_parts_equal_the_forward_by_hand(home: Path, tmp_path: Path) -> None:
    state, clip = released(), film(2)
    link("eva-vit-g", convert(state, tmp_path))
    assert clip.frames is not None
    expected = by_hand(state, clip.frames.images[0]).numpy()
    patches, token = parse_encoder("eva-vit-g"), parse_encoder("eva-vit-g+part=class")
    assert isinstance(patches, EvaEncoder) and patches.key == "eva-vit-g+part=patches+frame=first"
    assert patches.opening and (patches.width, token.width) == (4 * WIDTH, WIDTH)
    (track,), (one,) = patches.encode([clip]), token.encode([clip])
    assert track is not None and one is not None and not track.times.any()
    assert track.values.shape == (16, 4 * WIDTH) and one.values.shape == (1, WIDTH)
    np.testing.assert_allclose(one.values[0], expected[0], atol=1e-5)
    # Row k holds the patches 4k to 4k + 3 of the raster side by side.
    np.testing.assert_allclose(track.values[3, WIDTH : 2 * WIDTH], expected[1 + 13], atol=1e-5)
    np.testing.assert_allclose(track.values.reshape(64, WIDTH), expected[1:], atol=1e-5)
    assert len({patches.fingerprint, token.fingerprint}) == 2
    assert patches.encode([Clip(None, None, 1.0)]) == [None]


def test_a_file_without_the_last_block_and_without_head_will_do(tmp_path: Path) -> None:
    state = {k: v for k, v in released(LAYERS).items() if not k.startswith(("norm.", "head."))}
    convert(state, tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_every_wrong_checkpoint_is_one_line(tmp_path: Path) -> None:
    good = released()

    def told(state: object, **given: int) -> str:
        path = tmp_path / "eva.pth"
        torch.save(state, path)
        with pytest.raises(EmollamaError) as caught:
            size = {"layers": LAYERS, "heads": HEADS, "side": SIDE, **given}
            convert_eva(path, tmp_path / "out", **size)
        assert not (tmp_path / "out").exists()
        return str(caught.value)

    lacking = {k: v for k, v in good.items() if k != "blocks.1.mlp.fc2.bias"}
    assert "eva.pth: lacks 'blocks.1.mlp.fc2.bias'" in told(lacking)
    assert "'blocks.3.norm1.weight' has no place" in told(released(LAYERS + 2))
    assert "'blocks.0.attn.k_bias' has no place" in told(
        {**good, "blocks.0.attn.k_bias": torch.zeros(WIDTH)}
    )
    assert "'rope.freqs' has no place" in told({**good, "rope.freqs": torch.zeros(2)})
    assert "'pos_embed' is [1, 16, 24], expected [1, 1 + n*n, 24]" in told(
        {**good, "pos_embed": good["pos_embed"][:, 1:]}
    )
    assert "is [40, 23], expected [40, 24]" in told(
        {**good, "blocks.0.mlp.fc1.weight": torch.zeros(HIDDEN, WIDTH - 1)}
    )
    assert "lacks 'cls_token'; it is not an eva_vit_g.pth" in told({"a": torch.zeros(1)})
    assert "do not fit 5 heads" in told(good, heads=5)
    assert "is not a checkpoint of plain tensors" in told({"model": Path("x")})
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").touch()
    with pytest.raises(EmollamaError, match="full: exists and is not empty"):
        convert_eva(tmp_path / "eva.pth", tmp_path / "full")

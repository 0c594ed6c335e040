"""Image and video encoders: equal to transformers by hand, over frames and over faces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPModel

from emollama.assets.folders import link
from emollama.base.errors import EmollamaError
from emollama.encoders.hf_vision import ImageEncoder, _PictureEncoder
from emollama.encoders.table import parse_encoder
from emollama.media.clip import Clip, Frames
from tests.encoders.published import BLOCKS, film, put, states_of, tiny
from tests.encoders.test_expression import drawn

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])


def values(spec: str, clip: Clip) -> np.ndarray:
    (track,) = parse_encoder(spec).encode([clip])
    assert track is not None
    return track.values


def looked_at(spec: str, clip: Clip) -> torch.Tensor:
    encoder = parse_encoder(spec)
    assert isinstance(encoder, _PictureEncoder) and clip.frames is not None
    prepared = encoder.pictures(clip.frames)
    assert prepared is not None
    return prepared[0]


@pytest.mark.parametrize("name", ["clip-vit-large-patch14", "vit-mae-large", "dinov2-base"])
def test_layers_and_tokens_are_those_of_transformers(home: Path, tmp_path: Path, name: str) -> None:
    model, clip = put(name, tmp_path), film(3)
    spec = f"{name}+crop=frame+frames=3"
    pixels = looked_at(spec, clip)
    inputs = {"pixel_values": pixels}
    if name == "vit-mae-large":
        model.config.mask_ratio = 0.0  # patches come shuffled, which their mean does not mind
    with torch.inference_mode():
        outputs = model(**inputs, output_hidden_states=True)
    states = states_of(outputs)
    found = [values(f"{spec}+layer={i}+level=fra", clip) for i in range(BLOCKS + 1)]
    for ours, theirs in zip(found, states, strict=True):
        np.testing.assert_allclose(ours, theirs[:, 1:].mean(1).numpy(), atol=3e-5)
    np.testing.assert_array_equal(values(f"{spec}+level=fra", clip), found[-1])
    np.testing.assert_allclose(
        values(f"{spec}+layer=last4+level=fra", clip), sum(found[-4:]), atol=3e-5
    )
    np.testing.assert_allclose(values(spec, clip), found[-1].mean(0, keepdims=True), atol=1e-6)
    tokens = values(f"{spec}+tokens=class+level=fra", clip)
    np.testing.assert_allclose(tokens, states[-1][:, 0].numpy(), atol=3e-5)


def test_the_masked_autoencoder_is_the_same_every_time(home: Path, tmp_path: Path) -> None:
    put("vit-mae-large", tmp_path)
    spec = "vit-mae-large+crop=frame+level=fra+frames=2"
    np.testing.assert_array_equal(values(spec, film(2)), values(spec, film(2)))


def test_videomae_gives_a_step_for_each_pair_of_frames(home: Path, tmp_path: Path) -> None:
    model, clip = put("videomae-base", tmp_path), film(4)
    encoder = parse_encoder("videomae-base+crop=frame+level=fra")
    assert encoder.frames == 4
    (track,) = encoder.encode([clip])
    pixels = looked_at("videomae-base+crop=frame", clip)
    with torch.inference_mode():
        states = states_of(model(pixels[None], output_hidden_states=True))
    expected = states[-1][0].view(2, 4, 32).mean(1)
    assert track is not None
    np.testing.assert_allclose(track.values, expected.numpy(), atol=3e-5)
    np.testing.assert_allclose(track.times, [0.05, 0.25], atol=1e-6)
    np.testing.assert_allclose(
        values("videomae-base+crop=frame", clip), states[-1].mean(1).numpy(), atol=3e-5
    )
    # More frames than it reads, because another encoder wanted them: spread over the clip.
    more = film(8)
    assert more.frames is not None
    few = Clip(Frames(more.frames.images[1::2], more.frames.times[1::2]), None, 0.8)
    np.testing.assert_array_equal(
        values("videomae-base+crop=frame", more), values("videomae-base+crop=frame", few)
    )


@pytest.mark.parametrize(
    ("name", "mean_and_deviation", "resample"),
    [
        ("clip-vit-large-patch14", CLIP, Image.Resampling.BICUBIC),
        ("vit-mae-large", IMAGENET, Image.Resampling.BILINEAR),
        ("videomae-base", IMAGENET, Image.Resampling.BILINEAR),
        ("dinov2-base", IMAGENET, Image.Resampling.BICUBIC),
    ],
)
def test_published_preprocessing(
    home: Path,
    tmp_path: Path,
    name: str,
    mean_and_deviation: tuple[list[float], list[float]],
    resample: Image.Resampling,
) -> None:
    put(name, tmp_path)
    clip = film(4)
    assert clip.frames is not None
    encoder = parse_encoder(f"{name}+crop=frame")
    assert isinstance(encoder, _PictureEncoder)
    pixels = encoder._prepared(encoder.processor, clip.frames.images)
    short, side = (256, 224) if name == "dinov2-base" else (28, 28)
    # 48x64 pictures: the short side to `short`, then the middle; the autoencoder takes it squeezed.
    size = (28, 28) if name == "vit-mae-large" else (int(short * 64 / 48), short)
    resized = np.asarray(Image.fromarray(clip.frames.images[0]).resize(size, resample))
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    middle = resized[top : top + side, left : left + side] / 255
    mean, deviation = mean_and_deviation
    expected = ((middle - mean) / deviation).transpose(2, 0, 1)
    assert pixels.shape == (4, 3, side, side)
    off = np.abs(pixels[0].numpy() - expected)
    assert off.max() < 0.03 and off.mean() < 1e-3


def test_the_folders_own_preprocessor_rules(home: Path, tmp_path: Path) -> None:
    own = {"image_processor_type": "ViTFeatureExtractor", "do_resize": True, "do_normalize": True,
           "size": 28, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}  # fmt: skip
    put("vit-mae-large", tmp_path, own)
    white = Clip(Frames(np.full((1, 48, 64, 3), 255, np.uint8), np.zeros(1)), None, 1.0)
    pixels = looked_at("vit-mae-large+crop=frame+frames=1", white)
    torch.testing.assert_close(pixels, torch.full((1, 3, 28, 28), 2.0))
    put("mer-mae-large", tmp_path, {**own, "size": 56})
    with pytest.raises(EmollamaError, match=r"makes pictures of 56x56, but image_size .* is 28"):
        parse_encoder("mer-mae-large+crop=frame").encode([white])


def test_a_track_depends_on_no_other_clip(home: Path, tmp_path: Path) -> None:
    put("clip-vit-large-patch14", tmp_path)
    encoder = parse_encoder("clip-vit-large-patch14+crop=frame+level=fra+layer=2")
    assert isinstance(encoder, ImageEncoder)
    clips = [film(3), film(8, 1), film(1, 2)]
    for clip, track in zip(clips, encoder.encode(clips), strict=True):
        (alone,) = encoder.encode([clip])
        assert alone is not None and track is not None
        np.testing.assert_array_equal(alone.values, track.values)
    assert len(encoder._net.blocks) == 2
    assert encoder.encode([Clip(None, None, 1.0)]) == [None]


def test_all_of_clip_in_a_folder_will_do(home: Path, tmp_path: Path) -> None:
    alone = tiny("clip-vit-large-patch14")
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "vocab_size": 20}  # fmt: skip
    both = CLIPModel(CLIPConfig(text_config=text, vision_config=alone.config.to_dict()))
    both.vision_model.load_state_dict(alone.state_dict())
    both.save_pretrained(tmp_path / "clip")
    link("clip-vit-large-patch14", tmp_path / "clip")
    spec = "clip-vit-large-patch14+crop=frame+frames=2"
    with torch.inference_mode():
        expected = alone(looked_at(spec, film(2))).last_hidden_state[:, 1:].mean((0, 1))
    np.testing.assert_allclose(values(spec, film(2))[0], expected.numpy(), atol=3e-5)


def test_faces_are_cut_out_and_no_face_is_no_track(home_with_faces: Path, tmp_path: Path) -> None:
    put("dinov2-base", tmp_path)
    face = drawn(112, 112, 140)
    aside = np.full((2, 224, 500, 3), 128, np.uint8)
    aside[:, :, 276:] = face
    clip = Clip(Frames(aside, np.arange(2.0)), None, 2.0)
    spec = "dinov2-base+frames=2"
    found, whole = looked_at(spec, clip), looked_at(f"{spec}+crop=frame", clip)
    centred = looked_at(spec, Clip(Frames(np.stack([face, face]), np.arange(2.0)), None, 2.0))
    assert found.shape == whole.shape == (2, 3, 224, 224)
    # The crop follows the face: it is nearly the one of the face alone, and not the frame.
    near, far = (found - centred).abs().mean(), (found - whole).abs().mean()
    assert near < 0.25 and far > 2 * near
    assert parse_encoder(spec).encode([film(2)]) == [None]
    assert parse_encoder(f"{spec}+crop=frame").encode([film(2)])[0] is not None


def test_mistakes_are_one_line(home: Path, tmp_path: Path) -> None:
    put("dinov2-base", tmp_path)
    for options, message in (
        ("crop=nose", "crop must be face or frame, not 'nose'"),
        ("tokens=all", "tokens must be mean, class, sum or projected"),
        ("frames=0", "frames must be 1 to 256"),
        ("layer=6", "layer must be last, last4 or 0 to 5"),
    ):
        with pytest.raises(EmollamaError, match=message):
            _ = parse_encoder(f"dinov2-base+{options}").width
    (tmp_path / "dinov2-base/preprocessor_config.json").write_text(json.dumps({"size": "big"}))
    with pytest.raises(EmollamaError, match=r"preprocessor_config.json: cannot be used"):
        parse_encoder("dinov2-base+crop=frame").encode([film(1)])

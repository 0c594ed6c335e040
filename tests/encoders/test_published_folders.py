"""Specs that equal a published feature folder: computed as their publishers' code does, by hand.

What the publishers do was read in zeroQiaoba/MERTools at 89120b78 (MER2023 and MER2024,
feature_extraction/) and ooochen-30/Emotion-LLaMA-v2 at 5f0a408b (my_utils/extract_features.py);
docs/features.md has the table.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig

from emollama.assets.folders import link
from emollama.base.errors import EmollamaError
from emollama.encoders.base import View, view_of
from emollama.encoders.table import parse_encoder
from emollama.workers.worker import Job, clip_for, decode_views
from tests.encoders.published import film, put, sound, states_of, tiny
from tests.encoders.test_hf_audio import WHISPER, normalised, values
from tests.encoders.test_hf_vision import looked_at
from tests.media.recording import record


def test_hl_utt_of_2023_is_the_whole_clip_and_of_2024_padded_parts(
    home: Path, tmp_path: Path
) -> None:
    model, clip = put("chinese-hubert-large", tmp_path), sound(13.5)
    given = normalised(clip)
    name = "chinese-hubert-large"
    with torch.inference_mode():
        whole = model(given).last_hidden_state[0].mean(0)
        padded = F.pad(given, (0, 320_000 - given.shape[1])).view(2, 160_000)
        outputs = model(padded, output_hidden_states=True)
    # In the transformers 4 of the publishers the last hidden state came after the last norm.
    states = states_of(outputs)
    four = torch.stack(states)[-4:].sum(0).reshape(-1, 32).mean(0)
    found = values(f"{name}+layer=last+level=utt+chunk=60", clip)[0]
    np.testing.assert_allclose(found, whole.numpy(), atol=1e-5)
    assert np.abs(values(name, clip)[0] - found).max() > 1e-3  # the default cuts in equal parts
    of_2024 = f"{name}+layer=last4+level=utt+chunk=10+pad=keep"
    np.testing.assert_allclose(values(of_2024, clip)[0], four.numpy(), atol=1e-4)
    short = sound(9.9)  # up to ten seconds nothing is padded
    np.testing.assert_allclose(
        values(of_2024, short), values(f"{name}+layer=last4+level=utt", short), atol=1e-6
    )
    assert parse_encoder(f"{name}+pad=drop").key == parse_encoder(name).key
    with pytest.raises(EmollamaError, match="pad must be drop or keep, not 'yes'"):
        parse_encoder(f"{name}+pad=yes")


def test_whisper_as_mertools_and_as_emotion_llama_v2_read_it(home: Path, tmp_path: Path) -> None:
    model, clip = put("whisper-small", tmp_path, WHISPER), sound(1.4)
    mel = parse_encoder("whisper-small").extractor(  # type: ignore[attr-defined]
        clip.audio, sampling_rate=16000, return_tensors="pt"
    )
    with torch.inference_mode():
        start = torch.tensor([[1, 1]]) * model.config.decoder_start_token_id
        outputs = model(**mel, decoder_input_ids=start)
    expected = outputs.last_hidden_state[0].mean(0)
    decoder = "whisper-small+layer=last+level=utt+part=decoder"
    np.testing.assert_allclose(values(decoder, clip)[0], expected.numpy(), atol=2e-5)
    assert values("whisper-small+level=fra+part=decoder", clip).shape == (2, 32)
    encoded = outputs.encoder_last_hidden_state  # 100 steps here, 1,500 of a real one
    pooled = F.adaptive_avg_pool1d(encoded.transpose(1, 2), 64).transpose(1, 2)[0]
    spec = "whisper-small+layer=last+segments=64+pad=keep"
    np.testing.assert_allclose(values(spec, clip), pooled.numpy(), atol=2e-5)
    # What lies behind the stretch that the model reads at once is left out by both.
    for form in (decoder, spec):
        longer = sound(5.0)
        cut = type(longer)(None, longer.audio[:32000], 2.0)  # type: ignore[index]
        np.testing.assert_array_equal(values(form, longer), values(form, cut))
    with pytest.raises(EmollamaError, match="part=decoder takes neither another layer nor pad"):
        parse_encoder("whisper-small+part=decoder+layer=2")


def test_clip_is_projected_and_dinov2_summed_before_its_last_norm(
    home: Path, tmp_path: Path
) -> None:
    vision, clip = tiny("clip-vit-large-patch14").config, film(3)
    vision.projection_dim = 20
    text = CLIPTextConfig(vocab_size=9, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    torch.manual_seed(1)
    both = CLIPModel(
        CLIPConfig(vision_config=vision.to_dict(), text_config=text.to_dict(), projection_dim=20)
    )
    both.eval().save_pretrained(tmp_path / "clip")
    link("clip-vit-large-patch14", tmp_path / "clip")
    spec = "clip-vit-large-patch14+crop=frame+frames=3+level=fra"
    with torch.inference_mode():
        expected = both.get_image_features(looked_at(spec, clip)).pooler_output
    encoder = parse_encoder(f"{spec}+tokens=projected")
    (track,) = encoder.encode([clip])
    assert track is not None and track.values.shape == (3, 20) == (3, encoder.width)
    np.testing.assert_allclose(track.values, expected.numpy(), atol=2e-5)
    with pytest.raises(EmollamaError, match="last layer of a CLIP model only"):
        parse_encoder("dinov2-base+tokens=projected")

    model = put("dinov2-base", tmp_path)
    spec = "dinov2-base+crop=frame+frames=3+level=fra"
    last: list[torch.Tensor] = []
    model.encoder.layer[-1].register_forward_hook(
        lambda m, i, out: last.append(out[0] if isinstance(out, tuple) else out)
    )
    with torch.inference_mode():
        model(looked_at(spec, clip))
    (track,) = parse_encoder(f"{spec}+tokens=sum").encode([clip])
    assert track is not None
    np.testing.assert_allclose(track.values, last[0].sum(1).numpy(), rtol=1e-4, atol=2e-4)


def test_the_decoder_gives_each_encoder_what_it_must_see(home: Path, tmp_path: Path) -> None:
    """A frame of 672×378 was 480×270 for all: EVA's pixels differed by 2 to 5.5 %."""
    path = record(tmp_path / "a.mp4", seconds=0.3, size=(672, 378))
    specs = ("expression", "eva-vit-g", "clip-vit-large-patch14+crop=frame",
             "clip-vit-large-patch14", "whisper-tiny.en")  # fmt: skip
    encoders = [parse_encoder(spec) for spec in specs]
    clips = decode_views(Job("a", path, None, None, None, None, ()), encoders[:-1])
    sizes = []
    for encoder in encoders[:-1]:
        frames = clip_for(encoder, clips).frames
        assert frames is not None
        sizes.append(frames.images.shape[:3])
    assert sizes == [(8, 270, 480), (1, 378, 672), (8, 378, 672), (8, 270, 480)]
    assert view_of(encoders[-1]) == View(0) and len(clips) == 3

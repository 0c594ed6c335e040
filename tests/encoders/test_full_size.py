"""What all full-size encoders share: specs, pooling, devices and number formats."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from emollama.assets.models import MODELS
from emollama.base.errors import EmollamaError
from emollama.encoders.compute import Compute
from emollama.encoders.full_size import Readout
from emollama.encoders.table import ENCODERS, encoder_of, parse_encoder
from tests.encoders.published import put, sound


def test_every_model_is_an_encoder_with_a_canonical_key() -> None:
    for name, model in MODELS.items():
        encoder = parse_encoder(name)
        assert encoder.key.startswith(f"{name}+") and encoder.columns == ()
        assert parse_encoder(encoder.key).key == encoder.key
        assert ENCODERS[name].about == model.about
    assert parse_encoder("chinese-hubert-large").key == (
        "chinese-hubert-large+layer=last+level=utt+chunk=10"
    )
    assert parse_encoder("vit-mae-large+segments=4+layer=last4").key == (
        "vit-mae-large+layer=last4+segments=4+crop=face+frames=8+tokens=mean"
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hubert-base+level=utt+segments=2", "level and segments exclude each other"),
        ("hubert-base+level=clip", "level must be utt or fra, not 'clip'"),
        ("hubert-base+segments=0", "segments must be 1 to 1500"),
        ("hubert-base+chunk=0", "chunk must be 1 to 60 seconds"),
        ("hubert-base+layer=first", "option 'layer': 'first' is not a valid value"),
        ("hubert-bass", "did you mean 'hubert-base'"),
        ("eva-vit-g+part=all", "part must be patches or class"),
        ("eva-vit-g+frame=last", "frame must be first or middle"),
        ("eva-vit-g+layer=3", "option 'layer' is unknown"),
    ],
)
def test_mistakes_in_specs_are_one_line(spec: str, message: str) -> None:
    with pytest.raises(EmollamaError, match=message):
        parse_encoder(spec)


@pytest.mark.parametrize("layer", ["6", "-1", "99"])
def test_a_layer_that_is_not_there_is_one_line(home: Path, tmp_path: Path, layer: str) -> None:
    put("hubert-base", tmp_path)
    with pytest.raises(EmollamaError, match="layer must be last, last4 or 0 to 5"):
        _ = parse_encoder(f"hubert-base+layer={layer}").width


def test_pooling_over_time() -> None:
    tokens = np.arange(14, dtype=np.float64).reshape(7, 2)
    times = np.arange(7) + 0.5
    frames = Readout(level="fra").pool(tokens, times)
    np.testing.assert_array_equal(frames.values, tokens)
    whole = Readout().pool(tokens, times)
    np.testing.assert_allclose(whole.values, [[6, 7]])
    np.testing.assert_allclose(whole.times, [3.5])
    parts = Readout(segments=3).pool(tokens, times)
    np.testing.assert_allclose(parts.values[:, 0], [1, 6, 11])
    np.testing.assert_allclose(parts.times, [1.0, 3.5, 6.0])
    many = Readout(segments=20).pool(tokens[:2], times[:2])
    assert many.values.shape == (20, 2) and many.values[0, 0] == 0 and many.values[-1, 0] == 2


def test_number_formats_have_fingerprints_of_their_own(home: Path, tmp_path: Path) -> None:
    put("hubert-base", tmp_path)
    plain = parse_encoder("hubert-base")
    half = parse_encoder("hubert-base", Compute("cpu", "bfloat16"))
    assert parse_encoder("hubert-base", Compute("cpu", "auto")).fingerprint == plain.fingerprint
    assert half.fingerprint != plain.fingerprint and half.key == plain.key
    (exact,), (rough,) = plain.encode([sound(1.0)]), half.encode([sound(1.0)])
    assert exact is not None and rough is not None and rough.values.dtype == np.float32
    off = np.abs(exact.values - rough.values).max()
    assert 0 < off < 0.2
    found = encoder_of("hubert-base", half.fingerprint, "cpu")
    assert found.fingerprint == half.fingerprint
    assert encoder_of("hubert-base", "another", "cpu").fingerprint == plain.fingerprint
    # Weights that change are another encoder.
    weights = tmp_path / "hubert-base/model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-3] ^= 1
    weights.write_bytes(data)
    assert parse_encoder("hubert-base").fingerprint != plain.fingerprint


def test_devices_and_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pickle.loads(pickle.dumps(Compute("cuda:1", "float16"))) == Compute("cuda:1", "float16")
    if not torch.cuda.is_available():
        assert Compute("auto", "auto").torch_device().type == "cpu"
        assert Compute("auto", "auto").torch_dtype() == torch.float32
        with pytest.raises(EmollamaError, match="--device cuda: this machine has no CUDA device"):
            Compute("cuda").torch_device()
    for device in ("gpu", "cpu:0", "cuda:", "cuda:x", "auto:1"):
        with pytest.raises(EmollamaError, match=f"--device {device}: must be auto, cpu, cuda"):
            Compute(device).torch_device()
    with pytest.raises(EmollamaError, match="--dtype half: must be one of auto, float32, float16"):
        Compute("cpu", "half").torch_dtype()


def test_weights_that_lack_a_tensor_are_refused(home: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    put("hubert-base", tmp_path)
    path = tmp_path / "hubert-base/model.safetensors"
    tensors = load_file(path)
    del tensors["encoder.layers.1.final_layer_norm.bias"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(EmollamaError, match=r"lack 'encoder.layers.1.final_layer_norm.bias'$"):
        parse_encoder("hubert-base").encode([sound(1.0)])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EmollamaError, match="hubert-base: cannot be loaded"):
        parse_encoder("hubert-base").encode([sound(1.0)])

"""What a clip costs without emollama: torch, transformers, the same weights and the same forwards.

python -m benchmarks.answering.bare_clip CLIP SETTINGS

SETTINGS is JSON from `benchmarks.answering.opening`, which runs this beside `emollama predict`:
folders of the language model, the artefact and Whisper, the number format, Whisper's layers, and
the shapes of the language model's forwards. The adapter's products are added as a script would.
What has no counterpart in transformers is left out: detecting speech and faces, measuring prosody,
checking the weights.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av
import numpy as np
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    WhisperFeatureExtractor,
    WhisperModel,
)
from transformers.utils import logging


def sound(clip: str) -> np.ndarray:
    """A clip's sound, float32 [n] at 16 kHz."""
    resampler = av.AudioResampler("flt", "mono", 16000)
    with av.open(clip) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def opened(settings: dict) -> torch.nn.Module:
    """The language model with the adapter's products in it."""
    dtype = getattr(torch, settings["dtype"])
    llm = AutoModelForCausalLM.from_pretrained(settings["llm"], dtype=dtype)
    folder = Path(settings["model"])
    adapter = load_file(folder / "adapter_model.safetensors")
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    for name, down in adapter.items():
        if not name.endswith(".lora_A.weight"):
            continue
        layer = name.removeprefix("base_model.model.language_model.").removesuffix(".lora_A.weight")
        up = adapter[name.replace(".lora_A.", ".lora_B.")]
        weight = llm.get_submodule(layer).weight
        product = (up.float() @ down.float()) * (config["lora_alpha"] / config["r"])
        weight.data = (weight.float() + product).to(dtype)
    return llm.eval()


@torch.inference_mode()
def main() -> None:
    clip, settings = sys.argv[1], json.loads(sys.argv[2])
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    AutoTokenizer.from_pretrained(settings["model"])
    llm = opened(settings)
    encoder = WhisperModel.from_pretrained(settings["whisper"]).encoder.eval()
    extractor = WhisperFeatureExtractor.from_pretrained(settings["whisper"])
    mel = extractor(sound(clip), sampling_rate=16000, padding="longest", return_tensors="pt")
    x = torch.nn.functional.gelu(encoder.conv1(mel.input_features))
    x = torch.nn.functional.gelu(encoder.conv2(x)).permute(0, 2, 1)
    x = x + encoder.embed_positions.weight[: x.shape[1]]
    for layer in encoder.layers[: settings["layers"]]:
        x = layer(x, None)
    for rows, columns in settings["forwards"]:
        ids = torch.randint(1000, (rows, columns))
        print(float(llm(input_ids=ids, logits_to_keep=1).logits.max()))


if __name__ == "__main__":
    main()

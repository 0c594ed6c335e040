"""The converted models say and hear what the published ones do."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    WhisperForConditionalGeneration,
    WhisperProcessor,
)

from emollama.assets import fetch

# espeak-ng is GPL-3: it runs in a process of its own.
SPEAK = """
import ctypes, sys, espeakng_loader
lib = ctypes.CDLL(espeakng_loader.get_library_path())
lib.espeak_Initialize(2, 0, str(espeakng_loader.get_data_path()).encode(), 0)
sound = bytearray()
@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
def take(wave, count, events):
    if wave:
        sound.extend(ctypes.string_at(wave, 2 * count))
    return 0
lib.espeak_SetSynthCallback(take)
lib.espeak_SetVoiceByName(b"en-us")
text = sys.argv[1].encode()
lib.espeak_Synth(text, len(text) + 1, 0, 0, 0, 1, None, None)
sys.stdout.buffer.write(bytes(sound))
"""


def test_whisper_transcribes() -> None:
    pytest.importorskip("espeakng_loader")
    sentence = "We won the prize, this is wonderful."
    done = subprocess.run([sys.executable, "-c", SPEAK, sentence], capture_output=True, check=True)
    spoken = np.frombuffer(done.stdout, np.int16).astype(np.float32) / 32768
    times = np.arange(0, len(spoken), 22050 / 16000)
    sound = np.interp(times, np.arange(len(spoken)), spoken).astype(np.float32)
    folder = fetch("whisper-tiny.en")
    processor = WhisperProcessor.from_pretrained(folder)
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    assert model.dtype == torch.float32
    inputs = processor(sound, sampling_rate=16000, return_tensors="pt")
    ids = model.generate(inputs.input_features, max_new_tokens=30)
    heard = processor.batch_decode(ids, skip_special_tokens=True)[0]
    assert re.findall(r"\w+", heard.lower()) == re.findall(r"\w+", sentence.lower())


def test_the_language_model_answers() -> None:
    folder = fetch("smollm2-135m-instruct")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert getattr(model.config, "quantization_config", None) is None
    assert model.dtype == torch.float32 and model.num_parameters() == 134_515_008
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<|im_end|>", "<|im_end|>")
    question = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    text = tokenizer.decode(answer[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert text.strip() == "The capital of France is Paris."

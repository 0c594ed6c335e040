"""transformers' auto classes open an artefact, whichever of the two is imported first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoProcessor

from emollama.llm.configuration import EmotionLlamaConfig
from emollama.llm.modeling import EmotionLlama
from emollama.llm.processing import EmotionLlamaProcessor

ROOT = Path(__file__).parents[2]
STORED = ROOT / "tests/compat/stored"
AFTER = """
from transformers import AutoConfig, AutoModel, AutoProcessor
import emollama
print(type(AutoConfig.from_pretrained("merged")).__name__)
print(type(AutoProcessor.from_pretrained("merged")).__name__)
print(type(AutoModel.from_pretrained("merged")).__name__)
"""


@pytest.mark.parametrize("name", ["merged", "llm-run/model"])
def test_the_auto_classes_open_an_artefact(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(STORED)
    assert isinstance(AutoConfig.from_pretrained(name), EmotionLlamaConfig)
    assert isinstance(AutoProcessor.from_pretrained(name), EmotionLlamaProcessor)
    model = AutoModel.from_pretrained(name, dtype=torch.bfloat16)
    assert isinstance(model, EmotionLlama) and not model.training
    assert model.language_model.dtype == torch.bfloat16
    assert AutoModel.from_pretrained(name).language_model.dtype == torch.float32


def test_transformers_may_be_imported_first() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER], cwd=STORED, env={"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["EmotionLlamaConfig", "EmotionLlamaProcessor", "EmotionLlama"]

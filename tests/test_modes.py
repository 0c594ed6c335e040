"""A mode that is unknown is an error with the known ones, in every function that takes one.

What a configuration, a command or an artefact holds is checked there; these are the functions that
a program calls.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emollama.base.device import resolve_dtype
from emollama.base.errors import EmollamaError
from emollama.corpora.csd_tracks import import_csd
from emollama.encoders.compute import Compute
from emollama.encoders.hf_vision import _processors
from emollama.fusion.alignment import between
from emollama.fusion.layers import masked_pool
from emollama.fusion.training.validation import selected
from emollama.llm.backbone import load_llm
from emollama.llm.processing import EmotionLlamaProcessor
from emollama.llm.scoring import score_labels
from emollama.llm.training.activations import activation_bytes
from emollama.probe.cast import cast_clip, sentences
from emollama.probe.plan import Settings, plan_clip
from emollama.scoring.frames.workflow import write_submission
from emollama.scoring.metrics.continuous import sign_cases
from emollama.scoring.metrics.measure import units_of
from emollama.scoring.metrics.overlap import overlap, prompt_hash
from emollama.scoring.metrics.synonyms import merged_overlap
from emollama.scoring.wheels.wheel_tables import read_wheel_tables
from emollama.scoring.wheels.wheels import hit_rate, open_vocabulary

none: Any = None
NOWHERE = Path("nowhere")

CALLS: dict[str, tuple[Callable[[Any], object], str]] = {
    "dtype": (lambda x: resolve_dtype(x, torch.device("cpu")), "float16"),
    "encoders' device": (lambda x: Compute(x).torch_device(), "cuda:N"),
    "encoders' dtype": (lambda x: Compute(dtype=x).torch_dtype(), "float16"),
    "image processor": (lambda x: _processors(x, 8), "videomae"),
    "resampling": (lambda x: between(none, none, x), "nearest"),
    "pooling": (lambda x: masked_pool(torch.ones(1, 1, 1), torch.ones(1, 1).bool(), x), "mean"),
    "selection": (lambda x: selected(none, x), "weighted_f1"),
    "attention": (lambda x: activation_bytes(none, 1, 1, x), "eager"),
    "quantisation": (
        lambda x: load_llm(NOWHERE, torch.float32, quantise=x, device=torch.device("cuda")), "4bit"
    ),
    "clues": (lambda x: EmotionLlamaProcessor(none, none, (), none, x), "always"),
    "method of label scores": (lambda x: score_labels(none, {}, [], x), "tree"),
    "form of a submission": (lambda x: write_submission(NOWHERE, [], x), "abaw"),
    "sign": (lambda x: sign_cases([], x), "nonneg"),
    "unit of the bootstrap": (lambda x: units_of([], [], x), "group"),
    "overlap": (lambda x: overlap([], none, x), "clue"),
    "overlap's prompts": (prompt_hash, "clue"),
    "part of synonyms": (lambda x: merged_overlap([], {}, x), "accuracy"),
    "wheel rules": (lambda x: read_wheel_tables(NOWHERE, x), "mer2025"),
    "part of a wheel": (lambda x: open_vocabulary([], none, x), "recall"),
    "part of a hit rate": (lambda x: hit_rate([], none, x), "m_score"),
    "channel of a csd": (lambda x: import_csd(NOWHERE, NOWHERE, NOWHERE, "k", x), "voice"),
    "split of a plan": (lambda x: plan_clip(Settings(7), x, 0), "val"),
    "split of sentences": (lambda x: sentences("happy", x), "val"),
    "split of a cast": (lambda x: cast_clip(np.random.default_rng(0), x, "happy"), "val"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_an_unknown_mode_is_an_error_with_the_known_ones(name: str) -> None:
    call, known = CALLS[name]
    with pytest.raises(EmollamaError, match=rf"banana.*{known}"):
        call("banana")

"""Systems are as large as the originals' parts that are trained and used.

The reference numbers were counted on the public implementations, built with random weights: the
MELD project (union-point/emotion_detection) over two encoders of width 768 with 7 classes, MemoCMT
(tpnam0901/MemoCMT) with 4, MERBench (zeroQiaoba/MERTools) over voice 1024, words 5120 and face 768
with 6 classes and a value. docs/fusion_systems.md explains every difference.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from emollama.fusion.systems import fusion_system

MELD = {"voice": 768, "words": 768}
MERBENCH = {"voice": 1024, "words": 5120, "face": 768}
SCORE_BIASES = 2  # of the two poolings: softmax cancels them
UNUSED_BLOCK = 592_128  # MELD's memocmt: a Linear and a LayerNorm that nothing reads
UNUSED_ATTENTION = 2_954_496  # MemoCMT's third block
FRAMES = {"encoder": "frames"}


def parameters(system: str, options: dict[str, Any], widths: dict[str, int], classes: int) -> int:
    config_class, model_class = fusion_system(system)
    values = ["valence"] if widths is MERBENCH else []
    config = config_class(
        modalities=[
            {"name": name, "channel": name, "source": "made", "width": width}
            for name, width in widths.items()
        ],
        labels=[f"label {i}" for i in range(classes)],
        task={"kind": "label+values" if values else "label", "values": values},
        options=options,
    )
    with torch.device("meta"):  # no memory: TFN has 276 million
        model = model_class(config)
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("system", "classes", "reference"),
    [
        ("early", 7, 10_759),
        ("attention_pooling", 7, 12_297 - SCORE_BIASES),
        ("fine_grained", 7, 924_169 - SCORE_BIASES),
        ("memocmt", 7, 6_501_120 - UNUSED_BLOCK + 99_335),
        ("memocmt", 4, 8_962_436 - UNUSED_ATTENTION),
    ],
)
def test_the_meld_project_and_memocmt(system: str, classes: int, reference: int) -> None:
    assert parameters(system, {}, MELD, classes) == reference


@pytest.mark.parametrize(
    ("system", "options", "reference"),
    [
        ("merbench_attention", {"hidden": 64}, 488_842),
        ("merbench_attention", {"hidden": 128}, 1_067_786),
        ("merbench_attention", {"hidden": 256, "weights": "raw"}, 2_496_010),
        ("merbench_attention", {"hidden": 64, **FRAMES}, 1_853_962),
        ("merbench_attention", {"hidden": 256, **FRAMES}, 8_398_858),
        ("lmf", {"hidden": 32, "rank": 3}, 232_506),
        ("lmf", {"hidden": 128, "rank": 4}, 1_083_787),
        ("lmf", {"hidden": 256, "rank": 6}, 2_758_157),
        ("tfn", {"hidden": 64}, 18_048_199),
        ("tfn", {"hidden": 128}, 275_777_927),
        ("misa", {"hidden": 64}, 870_983),
        ("misa", {"hidden": 128}, 2_063_495),
        ("misa", {"hidden": 256}, 5_419_271),
        ("mult", {"hidden": 64, "layers": 2, "kernel": 1}, 3_136_391),
        ("mult", {"hidden": 128, "layers": 4, "kernel": 3}, 18_123_783),
        ("mult", {"hidden": 256, "layers": 6, "kernel": 3}, 95_408_135),
    ],
)
def test_merbench(system: str, options: dict[str, Any], reference: int) -> None:
    assert parameters(system, options, MERBENCH, 6) == reference

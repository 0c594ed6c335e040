"""Systems are as large as the originals' parts that are trained and used.

The reference numbers were counted on the public implementations, built with random weights: the
MELD project (union-point/emotion_detection) over two encoders of width 768 with 7 classes, MemoCMT
(tpnam0901/MemoCMT) with 4, MERBench (zeroQiaoba/MERTools) over voice 1024, words 5120 and face 768
with 6 classes and a value, HRI-EMO (Makiato1999/HRI-EMO) over voice 74 and words 300 with 6
emotions, the valence-arousal systems (situAI, ABAW 2022) over 1,238 features a frame, AMST
(CXianRen/AMST) over fbank and pictures with 6. docs/fusion_systems.md explains every difference.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from emollama.fusion.systems.hri_emo import Gate
from emollama.fusion.systems.resnet import ResNet18
from emollama.fusion.systems.table import fusion_system
from tests.fusion.systems_made import count, section

MELD = {"voice": 768, "words": 768}
MERBENCH = {"voice": 1024, "words": 5120, "face": 768}
SCORE_BIASES = 2  # of the two poolings: softmax cancels them
UNUSED_BLOCK = 592_128  # MELD's memocmt: a Linear and a LayerNorm that nothing reads
UNUSED_ATTENTION = 2_954_496  # MemoCMT's third block
FRAMES = {"encoder": "frames"}


MOSEI = {"voice": 74, "words": 300}
VALENCE_AROUSAL = {"kind": "frames", "values": ["valence", "arousal"]}
IGNORED_LINEAR = 65_792  # of the encoder's output, which nothing read
FIXED_POSITIONS = 131_072  # sinusoids kept as parameters; here they are computed
PROBES = 2 * (512 * 6 + 6)  # AMST's linear layers beside the model, which only diagnose it


def built(
    system: str,
    options: dict[str, Any],
    modalities: list[dict[str, Any]],
    classes: int = 0,
    task: dict[str, Any] | None = None,
) -> int:
    config_class, model_class = fusion_system(system)
    config = config_class(
        modalities=modalities,
        labels=[f"label {i}" for i in range(classes)],
        task=task or {},
        options=options,
    )
    with torch.device("meta"):  # no memory: TFN has 276 million
        return count(model_class(config))


def parameters(system: str, options: dict[str, Any], widths: dict[str, int], classes: int) -> int:
    task = {"kind": "label+values", "values": ["valence"]} if widths is MERBENCH else {}
    return built(system, options, tracks(widths), classes, task)


def tracks(widths: dict[str, int]) -> list[dict[str, Any]]:
    return [{**section(name), "width": width} for name, width in widths.items()]


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


@pytest.mark.parametrize(
    ("options", "reference"),
    [
        ({}, 5_445_697),
        ({"encoder_layers": 2, "gate_hidden": 128}, 7_634_561),
        ({"width": 384, "heads": 6, "encoder_layers": 2, "gate_hidden": 256}, 15_627_777),
    ],
)
def test_hri_emo(options: dict[str, Any], reference: int) -> None:
    assert built("hri_emo", options, tracks(MOSEI), 6, {"kind": "labels"}) == reference


def test_the_gates_of_hri_emo() -> None:
    assert count(Gate(tuple(MOSEI), 256, 64, scalar=False)) == 83_264
    assert count(Gate(tuple(MOSEI), 768, 256, scalar=True)) == 786_945


@pytest.mark.parametrize(
    ("system", "reference"),
    [
        ("va_transformer", 3_805_186 - IGNORED_LINEAR - FIXED_POSITIONS),
        ("va_transformer_lstm", 4_331_522 - IGNORED_LINEAR - FIXED_POSITIONS),
        ("va_transformer_attention", 4_068_354 - IGNORED_LINEAR - FIXED_POSITIONS),
        ("va_fclstm", 3_130_114),
    ],
)
def test_valence_arousal(system: str, reference: int) -> None:
    assert built(system, {}, tracks({"face": 1_238}), task=VALENCE_AROUSAL) == reference


@pytest.mark.parametrize(
    ("head", "reference"), [("concat", 22_359_058), ("msum", 22_355_986), ("lsum", 22_359_064)]
)
def test_amst_on_crema_d(head: str, reference: int) -> None:
    sections = [section(n, kind=k, source="") for n, k in (("voice", "fbank"), ("face", "frames"))]
    assert built("amst", {"head": head}, sections, 6) == reference - PROBES


@pytest.mark.parametrize(
    ("channels", "width", "reference"),
    [(3, 512, 11_176_512), (1, 512, 11_170_240), (3, 768, 11_569_728), (1, 768, 11_563_456)],
)
def test_resnet_18(channels: int, width: int, reference: int) -> None:
    with torch.device("meta"):
        assert count(ResNet18(channels, width)) == reference

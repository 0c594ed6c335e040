"""Imports released Emotion-LLaMA and MiniGPT-v2 checkpoints as artefacts.

The released loader loads matching tensors and silently ignores the rest: with another version of
peft the adapters stay at zero and the model answers nonsense. Here every tensor is accounted for:
matched, dropped because it is known to be unused, or missing; an adapter or projector that does not
match is an error.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from peft import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor

from emollama.assets.fingerprint import weights_fingerprint
from emollama.assets.pickled import read_tensors
from emollama.base.errors import EmollamaError
from emollama.base.files import file_sha256, written_whole
from emollama.base.precision import Quantisation
from emollama.base.version import __version__
from emollama.llm import artefact
from emollama.llm.backbone import empty_llm, resolve_llm
from emollama.llm.clues import ClueWords
from emollama.llm.configuration import EmotionLlamaConfig
from emollama.llm.layout import get_layout
from emollama.llm.modeling import EmotionLlama
from emollama.llm.options import LoraSection
from emollama.llm.processing import EmotionLlamaProcessor, load_tokenizer
from emollama.llm.released import emotion_llama_v1 as v1
from emollama.manifest.labels import LabelSet

LORA = re.compile(r"llama_model\.(?:base_model\.model\.)?(?P<path>.+)\.lora_(?P<half>[AB])\.weight")
DEAD = (
    (re.compile(r"attention\..*"), "a classifier that the released forward never calls"),
    (re.compile(r".*rotary_emb\.inv_freq"), "a buffer that is recomputed"),
    (re.compile(r"ln_vision\.(weight|bias)"), "folded into the image projectors"),
)


@dataclass
class ImportReport:
    """The outcome for each tensor of a checkpoint.

    Attributes:
        matched: names of imported tensors.
        dropped: names of other tensors, with the reason.
        missing: streams without a projector in the checkpoint, which start at random.
        rank: of the adapters.
        targets: the linear layers that have adapters.
    """

    rank: int
    targets: tuple[str, ...]
    matched: list[str] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Readable lines: counts, reasons, and the missing projectors."""
        found = [
            f"matched {len(self.matched)} tensors: LoRA of rank {self.rank} on "
            f"{', '.join(self.targets)}, and the projectors"
        ]
        for reason, count in Counter(self.dropped.values()).items():
            found.append(f"dropped {count}: {reason}")
        if self.missing:
            found.append(f"missing, left random: projectors of {', '.join(self.missing)}")
        return found


def import_checkpoint(
    checkpoint: Path,
    llm: str,
    layout: str,
    labels: LabelSet,
    out: Path,
    *,
    sources: dict[str, str] | None = None,
    alpha: int = 16,
    seed: int = 42,
    quantise: Quantisation = "none",
) -> ImportReport:
    """Write an artefact with the weights of a released checkpoint.

    The language model's own weights are not read, only identified by a fingerprint, so a 7B model
    needs no more memory than its checkpoint.

    Args:
        checkpoint: a `.pth` as the released system saves it; only tensors are unpickled.
        llm: the language model that it was trained on, an asset's name or a folder.
        layout: one of the "emotion-llama-v1" layouts.
        labels: the label set that label scores run over.
        out: the artefact's folder.
        sources: other sources of the streams' features, by stream.
        alpha: LoRA's alpha, which checkpoints do not hold; 16 in the released system.
        seed: of projectors that the checkpoint lacks.
        quantise: how the language model is held when the artefact is opened.

    Raises:
        EmollamaError: the checkpoint cannot be read or belongs to another model, or an adapter or a
            projector is missing, left over or has another shape.
    """
    if not layout.startswith("emotion-llama-v1"):
        raise EmollamaError(
            f"--layout {layout}: released checkpoints have the layout 'emotion-llama-v1', "
            "'emotion-llama-v1-stage2' or 'emotion-llama-v1-upstream-eval'"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise EmollamaError(f"{out}: exists and is not empty; choose another folder")
    tensors = read_checkpoint(checkpoint)
    report = _report(checkpoint, tensors)
    folder = resolve_llm(llm)
    tokenizer = load_tokenizer(folder)
    streams = v1.streams(sources)
    processor = EmotionLlamaProcessor(tokenizer, get_layout(layout), streams, labels)
    require_llama_tokenizer(processor, llm)
    language_model = empty_llm(folder)
    config = EmotionLlamaConfig(
        text_config=language_model.config,
        streams=[vars(s) for s in streams],
        llm=llm,
        llm_sha256=weights_fingerprint(folder),
        quantise=quantise,
    )
    torch.manual_seed(seed)
    wrapped = artefact.add_lora(
        EmotionLlama(config, language_model),
        LoraSection(r=report.rank, alpha=alpha, dropout=0.05, targets=list(report.targets)),
    )
    wanted = cast(dict[str, Tensor], get_peft_model_state_dict(wrapped))
    state = _translate(checkpoint, tensors, wanted, report)
    record = {
        "imported_from": checkpoint.name,
        "sha256": file_sha256(checkpoint),
        "layout": layout,
        "versions": {"emollama": __version__},
        "matched": len(report.matched),
        "dropped": len(report.dropped),
        "missing": report.missing,
    }
    with written_whole(out) as draft:
        wrapped.peft_config["default"].save_pretrained(str(draft))
        save_file(state, draft / artefact.ADAPTER_FILE, metadata={"format": "pt"})
        config.save_pretrained(draft)
        artefact.save_rest(processor, ClueWords(), draft, record, _card(checkpoint, layout))
    return report


def read_state(path: Path, wanted: dict[str, Tensor]) -> tuple[dict[str, Tensor], ImportReport]:
    """A released checkpoint as the adapter state of a model whose own state is `wanted`.

    Raises:
        EmollamaError: as for `import_checkpoint`; also if the ranks differ.
    """
    tensors = read_checkpoint(path)
    report = _report(path, tensors)
    rank = next(v.shape[0] for k, v in wanted.items() if k.endswith("lora_A.weight"))
    if rank != report.rank:
        raise EmollamaError(f"{path}: its LoRA has rank {report.rank}, but model.lora.r is {rank}")
    return _translate(path, tensors, wanted, report), report


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, without wrappers and prefixes."""
    tensors: dict[str, Tensor] = {}
    for key, value in read_tensors(path).items():
        name = key.removeprefix("module.").removeprefix("model.").replace(".default.", ".")
        if name in tensors:
            raise EmollamaError(f"{path}: holds '{name}' twice")
        tensors[name] = value
    return tensors


def _report(path: Path, tensors: dict[str, Tensor]) -> ImportReport:
    ranks = {
        (value.shape[0] if m["half"] == "A" else value.shape[-1])
        for key, value in tensors.items()
        if (m := LORA.fullmatch(key)) and value.ndim == 2
    }
    if not ranks:
        raise EmollamaError(
            f"{path}: holds no LoRA of a language model (llama_model.*.lora_A.weight); "
            f"it begins with '{min(tensors)}'"
        )
    if len(ranks) > 1:
        raise EmollamaError(f"{path}: holds LoRA of several ranks: {sorted(ranks)}")
    paths = [m["path"] for key in tensors if (m := LORA.fullmatch(key))]
    targets = tuple(sorted({p.rsplit(".", 1)[-1] for p in paths}))
    return ImportReport(rank=ranks.pop(), targets=targets)


def _translate(
    path: Path, tensors: dict[str, Tensor], wanted: dict[str, Tensor], report: ImportReport
) -> dict[str, Tensor]:
    """The state of our model with the checkpoint's tensors."""
    names = {theirs: ours for ours, theirs in v1.PROJECTORS.items()}
    state: dict[str, Tensor] = {}
    for key, value in tensors.items():
        if m := LORA.fullmatch(key):
            ours = f"base_model.model.language_model.{m['path']}.lora_{m['half']}.weight"
        elif key.partition(".")[0] in names:
            head, _, tail = key.partition(".")
            ours = f"base_model.model.projector_{names[head]}.output.{tail}"
        else:
            reason = next((why for pattern, why in DEAD if pattern.fullmatch(key)), None)
            if reason is None:
                raise EmollamaError(f"{path}: '{key}' has no place in this model")
            report.dropped[key] = reason
            continue
        if ours not in wanted:
            raise EmollamaError(f"{path}: '{key}' has no place in this language model")
        if value.shape != wanted[ours].shape:
            raise EmollamaError(
                f"{path}: '{key}' is {tuple(value.shape)}, but this language model "
                f"needs {tuple(wanted[ours].shape)}"
            )
        state[ours] = value.float().clone()
        report.matched.append(key)
    for ours, value in wanted.items():
        if ours in state:
            continue
        if "lora_" in ours:
            raise EmollamaError(f"{path}: lacks the adapter '{ours}'")
        stream, _, part = ours.rpartition("projector_")[2].partition(".")
        if part.startswith("output."):
            theirs = f"{v1.PROJECTORS[stream]}.{part.removeprefix('output.')}"
            pair = {f"{v1.PROJECTORS[stream]}.{p}" for p in ("weight", "bias")}
            if stream == "image" or pair & tensors.keys():
                raise EmollamaError(f"{path}: lacks the projector '{theirs}'")
            if stream not in report.missing:
                report.missing.append(stream)
        state[ours] = value.detach().float().clone()
    _fold_vision_norm(tensors, state)
    return state


def _fold_vision_norm(tensors: dict[str, Tensor], state: dict[str, Tensor]) -> None:
    """Scale and shift of the norm after the vision tower, if a checkpoint holds them.

    Features are computed without them; since they are linear, they can be folded exactly into the
    projectors.
    """
    if "ln_vision.weight" not in tensors:
        return
    scale = tensors["ln_vision.weight"].float()
    shift = tensors["ln_vision.bias"].float()
    for stream, repeats in (("image", v1.PATCH_WIDTH // v1.CLASS_WIDTH), ("image_class", 1)):
        key = f"base_model.model.projector_{stream}.output."
        weight = state[key + "weight"]
        state[key + "bias"] = state[key + "bias"] + weight @ shift.repeat(repeats)
        state[key + "weight"] = weight * scale.repeat(repeats)


def require_llama_tokenizer(processor: EmotionLlamaProcessor, llm: str) -> None:
    """Check the tokenizer: released weights only work with Llama-2's sentencepiece model."""
    for text, ids in (("[INST] <video>", [518, 25580, 29962, 529, 9641, 29958]),
                      ("worried", [6365, 1255])):  # fmt: skip
        if processor.text_ids(text) != ids:
            raise EmollamaError(
                f"{llm}: its tokenizer is not Llama-2's, with which these weights were trained: "
                f"'{text}' is {processor.text_ids(text)}, expected {ids}"
            )


def _card(checkpoint: Path, layout: str) -> str:
    return (
        f"# Imported from {checkpoint.name}\n\n"
        f"Weights of a released Emotion-LLaMA checkpoint in the layout `{layout}`, read by "
        f"emollama {__version__}.\n\n"
        "Terms: the system is BSD-3-Clause; its language model is under Meta's Llama 2 licence; "
        "it was trained on MERR and MER2023, which are for research only. Emotions in those are "
        "acted or annotated by others: not a measure of what anybody feels, and not for judging "
        "people at work, at school or by the police.\n"
    )

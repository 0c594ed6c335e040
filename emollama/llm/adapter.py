"""An adapter in the layers of a language model: what its file holds, and a layer with it.

What LoRA adds is one product a layer, which needs no library. An adapter that does more (DoRA,
ranks of its own, embeddings trained whole) is left to peft, whose import takes longer than folding.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.base.memory import Freed
from emollama.llm.modeling import EmotionLlama
from emollama.llm.weight_files import WeightFiles

if TYPE_CHECKING:
    from peft import PeftModel

ADAPTER_FILE = "adapter_model.safetensors"
SETTINGS_FILE = "adapter_config.json"

WRAPPED = "base_model.model."
"""Prefix of all names in an adapter's file."""

_PRODUCT = {"peft_type": "LORA", "bias": "none", "init_lora_weights": True}
"""Settings of an adapter that only adds products to weights that it has not changed before."""

_FREE = (
    "r", "lora_alpha", "lora_dropout", "use_rslora", "target_modules", "modules_to_save",
    "inference_mode", "auto_mapping", "base_model_name_or_path", "revision", "task_type",
    "peft_version", "megatron_core", "qalora_group_size",
)  # fmt: skip
"""Settings that may have any value there; all others are empty."""


ONE_SUM = 64
"""Ranks up to which a product's sum is made whole before anything is added to it."""


class Adapter(Protocol):
    """An adapter that fits a model.

    Attributes:
        layers: names of the model's layers that it changes.
    """

    @property
    def layers(self) -> Collection[str]: ...  # noqa: D102

    def fold(self, layer: str, plain: dict[str, Tensor]) -> dict[str, Tensor]:
        """A layer's tensors (float32, by their names in the model) with the adapter in them.

        Those of `plain` are not needed any more.
        """


def adapter_of(folder: Path, model: EmotionLlama, file: WeightFiles) -> Adapter:
    """The adapter of an artefact.

    Args:
        folder: the artefact.
        model: it, without values.
        file: the adapter's tensors.

    Raises:
        EmollamaError: its settings cannot be used, or its tensors are not those of the model.
    """
    settings = read_json(folder / SETTINGS_FILE) if (folder / SETTINGS_FILE).is_file() else {}
    found = _Product.of(settings, model, file)
    if found is None:
        return _Peft(folder, model, file)
    require_same_shapes(folder, found.shapes, file)
    return found


def require_same_shapes(
    folder: Path, wanted: dict[str, tuple[int, ...]], file: WeightFiles
) -> None:
    """Check that an adapter's file holds the tensors of a model: peft ignores differences.

    Raises:
        EmollamaError: naming the first difference.
    """
    stored = file.shapes
    for key in sorted(wanted.keys() | stored.keys()):
        if wanted.get(key) != stored.get(key):
            raise EmollamaError(
                f"{folder / ADAPTER_FILE}: does not match the model: {key} is "
                f"{stored.get(key, 'missing')}, expected {wanted.get(key, 'none')}"
            )


def peft_shapes(model: PeftModel) -> dict[str, tuple[int, ...]]:
    """The tensors that the file of a model's adapter holds."""
    from peft import get_peft_model_state_dict

    return {name: tuple(value.shape) for name, value in get_peft_model_state_dict(model).items()}


@dataclass(frozen=True)
class _Product:
    """LoRA (Hu et al. 2022): W + s · BA."""

    layers: frozenset[str]
    shapes: dict[str, tuple[int, ...]]
    scale: float
    file: WeightFiles
    freed: Freed = field(default_factory=Freed)

    @classmethod
    def of(cls, settings: Any, model: EmotionLlama, file: WeightFiles) -> _Product | None:
        """None where it is more than that."""
        if not isinstance(settings, dict) or any(settings.get(k) != v for k, v in _PRODUCT.items()):
            return None
        if any(v for k, v in settings.items() if k not in _PRODUCT and k not in _FREE):
            return None
        if any(".base_layer." in key for key in file.entries):
            return None  # peft keeps the weights under an adapter of the head, too
        rank, alpha = settings.get("r"), settings.get("lora_alpha")
        targets, whole = settings.get("target_modules"), settings.get("modules_to_save") or []
        if not isinstance(rank, int) or not isinstance(alpha, int | float) or rank < 1:
            return None
        children = dict(model.named_children())
        if not isinstance(targets, str) or any(name not in children for name in whole):
            return None
        try:
            pattern = re.compile(targets)
        except re.error:
            return None  # peft says why
        layers = {name: layer for name, layer in model.named_modules() if pattern.fullmatch(name)}
        if not layers or any(
            type(layer) is not nn.Linear or name.partition(".")[0] in whole
            for name, layer in layers.items()
        ):
            return None
        shapes: dict[str, tuple[int, ...]] = {}
        for name, layer in layers.items():
            rows, columns = cast(nn.Linear, layer).weight.shape
            shapes[f"{WRAPPED}{name}.lora_A.weight"] = (rank, columns)
            shapes[f"{WRAPPED}{name}.lora_B.weight"] = (rows, rank)
        for name in whole:
            for key, value in children[name].state_dict().items():
                shapes[f"{WRAPPED}{name}.{key}"] = tuple(value.shape)
        scale = alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank)
        return cls(frozenset(layers), shapes, scale, file)

    def fold(self, layer: str, plain: dict[str, Tensor]) -> dict[str, Tensor]:
        weight = plain[f"{layer}.weight"]
        down, up = (
            self.file.read(f"{WRAPPED}{layer}.lora_{half}.weight", weight.dtype).to(weight.device)
            for half in "AB"
        )
        if math.frexp(self.scale)[0] == 0.5 and len(down) <= ONE_SUM:
            # By a power of two every product of the sum is exact, so that the bits are the same.
            torch.addmm(weight, up.mul_(self.scale), down, out=weight)
        else:
            weight += (up @ down).mul_(self.scale)
            self.freed.add(weight.nbytes)
        return plain


class _Peft:
    """Any adapter of peft's, by peft's own code."""

    def __init__(self, folder: Path, model: EmotionLlama, file: WeightFiles) -> None:
        from peft import PeftConfig, PeftModel, get_peft_model
        from peft.tuners.lora import LoraLayer

        try:
            config = PeftConfig.from_pretrained(str(folder))
            config.inference_mode = True
            with torch.device("meta"):
                wrapped = cast(PeftModel, get_peft_model(copy.deepcopy(model), config))
        except (OSError, ValueError, KeyError, TypeError, re.error) as error:
            raise EmollamaError(f"{folder / SETTINGS_FILE}: cannot be used: {error}") from error
        require_same_shapes(folder, peft_shapes(wrapped), file)
        self.layers: dict[str, Any] = {
            name: layer
            for name, layer in wrapped.get_base_model().named_modules()
            if isinstance(layer, LoraLayer)
        }
        self._file = file
        self._freed = Freed()

    def fold(self, layer: str, plain: dict[str, Tensor]) -> dict[str, Tensor]:
        module = self.layers[layer]
        device = next(iter(plain.values())).device
        state: dict[str, Tensor] = {}
        for name, _ in module.named_parameters():
            if name.startswith("base_layer."):
                state[name] = plain[f"{layer}.{name.removeprefix('base_layer.')}"]
                continue
            key = f"{WRAPPED}{layer}.{name.replace('.default', '')}"
            # peft stores the magnitudes of DoRA without the parameter's own name.
            key = key if key in self._file.entries else key.removesuffix(".weight")
            state[name] = self._file.read(key).to(device, torch.float32)
        module.load_state_dict(state, assign=True)
        with torch.no_grad():
            module.merge()
        done = {f"{layer}.{n}": p.detach() for n, p in module.get_base_layer().named_parameters()}
        module.to("meta")
        self._freed.add(2 * sum(value.nbytes for value in done.values()))  # with the product
        return done

"""transformers' AutoConfig, AutoModel and AutoProcessor open an artefact after `import emollama`.

`import emollama` stays light: each auto class learns of ours when its own module is imported, and
the model itself is imported when one is opened.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emollama.llm.modeling import EmotionLlama
    from emollama.llm.processing import EmotionLlamaProcessor

_AUTO = "transformers.models.auto"


class AutoEmotionLlama:
    """What AutoModel opens: an EmotionLlama, its adapter folded in."""

    @classmethod
    def from_pretrained(cls, folder: str | Path, *_: Any, **settings: Any) -> EmotionLlama:
        """The model of an artefact, in evaluation mode, on the CPU.

        Args:
            folder: the artefact, or the name of a hub repository.
            settings: `dtype` ("auto" for that of the base) and `revision` are used.
        """
        from emollama.llm.artefact import load
        from emollama.llm.folding import base_dtype

        path = _artefact(folder, settings)
        asked = settings.get("dtype") or settings.get("torch_dtype") or "auto"
        return load(path, base_dtype(path) if asked == "auto" else _dtype(asked)).model

    @classmethod
    def _from_config(cls, config: Any, **_: Any) -> EmotionLlama:
        from emollama.llm.modeling import EmotionLlama

        return EmotionLlama(config)


class AutoEmotionLlamaProcessor:
    """What AutoProcessor opens: an EmotionLlama's processor."""

    @classmethod
    def from_pretrained(cls, folder: str | Path, **settings: Any) -> EmotionLlamaProcessor:
        """The processor of an artefact, or of the hub repository of that name."""
        from emollama.llm.artefact import read_processor

        return read_processor(_artefact(folder, settings))


def _artefact(folder: str | Path, settings: dict[str, Any]) -> Path:
    from emollama.assets.hub import artefact_folder

    revision = settings.get("revision")
    here = Path(folder).is_dir()
    return artefact_folder(Path(folder if here or not revision else f"{folder}@{revision}"))


def _dtype(dtype: Any) -> Any:
    import torch

    from emollama.base.device import resolve_dtype

    if isinstance(dtype, torch.dtype):
        return dtype
    return resolve_dtype(dtype, torch.device("cpu"))


def _add_configuration() -> None:
    import_module("emollama.llm.configuration")  # which registers itself


def _add_model() -> None:
    from transformers import AutoModel

    from emollama.llm.configuration import EmotionLlamaConfig

    AutoModel.register(EmotionLlamaConfig, AutoEmotionLlama, exist_ok=True)


def _add_processor() -> None:
    from transformers import AutoProcessor

    from emollama.llm.configuration import EmotionLlamaConfig

    AutoProcessor.register(EmotionLlamaConfig, AutoEmotionLlamaProcessor, exist_ok=True)


class _AfterImport(MetaPathFinder):
    """Calls a function once a module has been imported."""

    def __init__(self, then: dict[str, Callable[[], None]]) -> None:
        self.then = then

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        del target
        if name not in self.then:
            return None
        then = self.then.pop(name)
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return spec
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            then()

        loader.exec_module = exec_module
        return spec


def register_on_import() -> None:
    """Register with each auto class as soon as there is one."""
    waiting = {
        f"{_AUTO}.configuration_auto": _add_configuration,
        f"{_AUTO}.modeling_auto": _add_model,
        f"{_AUTO}.processing_auto": _add_processor,
    }
    for name in [name for name in waiting if name in sys.modules]:
        waiting.pop(name)()
    if waiting:
        sys.meta_path.insert(0, _AfterImport(waiting))

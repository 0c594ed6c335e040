"""From the evidence of a clip to prompt embeddings, for an engine that runs the language model.

`emollama export --as llm` writes what is needed: the language model's folder, of which only the
token embeddings are read, and beside it projectors and processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from emollama.base.errors import EmollamaError
from emollama.base.paths import PROCESSOR_FILE, STREAMS_FOLDER
from emollama.llm.batch import Encoded, to_device
from emollama.llm.configuration import read_config
from emollama.llm.folding import empty_model
from emollama.llm.modeling import EmotionLlama
from emollama.llm.processing import EmotionLlamaProcessor, Evidence, Turn
from emollama.llm.weight_files import WeightFiles

PROJECTORS_FILE = "projectors.safetensors"


@dataclass(frozen=True)
class PromptEmbeddings:
    """Lays out prompts and embeds them.

    Attributes:
        model: an EmotionLlama, of which only token embeddings and projectors need weights.
        processor: lays out prompts.
    """

    model: EmotionLlama
    processor: EmotionLlamaProcessor

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Those of a folder that `emollama export --as llm` wrote.

        Raises:
            EmollamaError: the folder is another one, or a file is corrupt.
        """
        streams = folder / STREAMS_FOLDER
        if not (streams / PROCESSOR_FILE).is_file():
            raise EmollamaError(
                f"{folder}: holds no {STREAMS_FOLDER}/{PROCESSOR_FILE}; make it with: "
                f"emollama export --as llm --model MODEL --out {folder}"
            )
        config = read_config(streams)
        model = empty_model(config, config.text_config.dtype)
        table = model.get_input_embeddings()
        (name,) = (n for n, module in model.language_model.named_modules() if module is table)
        _fill(table, WeightFiles.of_folder(folder), f"{name}.")
        files = WeightFiles.of_file(streams / PROJECTORS_FILE)
        for stream in config.stream_configs:
            _fill(model.projector(stream.name), files, f"projector_{stream.name}.")
        return cls(model.eval(), EmotionLlamaProcessor.from_pretrained(streams))

    def __call__(
        self, evidence: Evidence, task: str = "reason", turns: Sequence[Turn] = ()
    ) -> Tensor:
        """Embeddings [T, H] of the prompt that asks a task's question about a clip.

        Args:
            evidence: of one clip.
            task: "emotion" or "reason".
            turns: of the conversation after the question.
        """
        if task == "emotion":
            evidence = self.processor.for_label(evidence)
        question = self.processor.instruction(task)
        return self.embed(self.processor.encode_prompt(evidence, question, turns))

    @torch.inference_mode()
    def embed(self, prompt: Encoded) -> Tensor:
        """Embeddings [T, H] of a prompt, in the language model's format."""
        batch = to_device(self.processor.collate([prompt]), self.model.device)
        return self.model.embed(
            batch["input_ids"], batch["stream_ids"], batch["features"], batch["present"]
        )[0]


def _fill(module: nn.Module, files: WeightFiles, prefix: str) -> None:
    """Give a module without values those of a file."""
    state = module.state_dict()
    for name in state:
        stored = files.shapes.get(prefix + name)
        if stored != tuple(state[name].shape):
            raise EmollamaError(
                f"{prefix}{name}: is {stored or 'missing'}, expected {tuple(state[name].shape)}; "
                "export the model again"
            )
    module.load_state_dict({n: files.read(prefix + n) for n in state}, assign=True)

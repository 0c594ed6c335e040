"""The reference model: the model as training began, without a second copy of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import PeftModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from emollama.base.errors import EmollamaError
from emollama.base.files import written_whole
from emollama.llm.modeling import EmotionLlamaOutput

FOLDER = "reference"
_FILE = "adapter.safetensors"


class Reference:
    """The adapters at the start of a run, which are put in place of the trained ones for a while.

    Everything else of the model is frozen, so only they are kept. They are written below the run's
    folder, so that a resumed run has the same reference.
    """

    def __init__(self, model: PeftModel) -> None:
        self._model = model
        self._kept = {name: p.detach().clone() for name, p in _trained(model).items()}

    def keep(self, output: Path) -> None:
        """Write the adapters below the folder of a run that begins."""
        with written_whole(output / FOLDER) as draft:
            save_file(self._kept, draft / _FILE)

    def restore(self, output: Path) -> None:
        """Read those of a run that goes on.

        Raises:
            EmollamaError: they are not there, or not of this model.
        """
        path = output / FOLDER / _FILE
        try:
            found = load_file(path)
            self._kept = {name: found[name].to(kept) for name, kept in self._kept.items()}
        except (OSError, SafetensorError, KeyError) as error:
            raise EmollamaError(
                f"{path}: the adapters that this run began with cannot be read ({error}); "
                "training.resume=never starts from scratch"
            ) from error

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the model is the reference model, without gradients."""
        trained = _trained(self._model)
        now = {name: parameter.data for name, parameter in trained.items()}
        try:
            for name, parameter in trained.items():
                parameter.data = self._kept[name].to(parameter.device)
            with torch.no_grad():
                yield
        finally:
            for name, parameter in trained.items():
                parameter.data = now[name]


def freeze_projectors(model: PeftModel) -> None:
    """Leave the adapters of the language model as what is trained, without dropout.

    What a clip's features mean stays as it was learned; and an answer is as probable in training as
    it was when it was drawn.
    """
    for name, parameter in model.named_parameters():
        if "projector_" in name:
            parameter.requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def token_logs(output: EmotionLlamaOutput) -> tuple[Tensor, Tensor]:
    """Log-probabilities [A, T] of the tokens of each answer, and bool [A, T] where there is one."""
    losses, owners = output.token_losses, output.owners
    assert losses is not None and owners is not None
    lengths = torch.bincount(owners)
    held = torch.arange(int(lengths.max()), device=owners.device) < lengths[:, None]
    logs = torch.zeros(held.shape, dtype=losses.dtype, device=losses.device)
    # Answers follow one another in the row-wise order in which `held` is True.
    return logs.masked_scatter(held, -losses), held


def _trained(model: PeftModel) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}

"""Released weights in torch's pickle format: only tensors and plain containers are read."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from emollama.base.errors import EmollamaError


def read_pickled(path: Path) -> Any:
    """What a `.pth` or `.bin` file holds, mapped from disk; no code of its own is run.

    Raises:
        EmollamaError: the file is missing, cut short, no such file, or holds more than tensors
            and plain containers.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnpicklingError as error:
        # The library's own text offers to run whatever the file holds.
        raise EmollamaError(
            f"{path}: is not a checkpoint of plain tensors: it holds objects, or is no such file"
        ) from error
    except Exception as error:
        # torch's reader raises whatever its parsers do: struct.error, UnpicklingError, ...
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EmollamaError(
            f"{path}: is not a checkpoint of plain tensors, or is cut short ({reason})"
        ) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a pickled state dict by name; nothing else in it is unpickled.

    A dict under "model" or "state_dict" is taken for the state dict. Entries that are no tensors
    are passed over.
    """
    loaded = read_pickled(path)
    for wrapper in ("model", "state_dict"):
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    items = loaded.items() if isinstance(loaded, dict) else ()
    tensors = {
        key: value for key, value in items if isinstance(key, str) and isinstance(value, Tensor)
    }
    if not tensors:
        raise EmollamaError(f"{path}: holds no tensors by name")
    return tensors


def _is_zip(path: Path) -> bool:
    """Files of old torch releases are no archives and cannot be mapped."""
    with path.open("rb") as file:
        return file.read(2) == b"PK"

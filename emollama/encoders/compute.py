"""Device and number format of full-size encoders.

The small default encoders always run on the CPU in float32. A `Compute` is data: it is sent to
worker processes with the function that builds encoders there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from emollama.base import torchrun
from emollama.base.errors import EmollamaError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Compute:
    """A device and a number format as a user writes them; the defaults suit `predict`.

    Attributes:
        device: "auto" (cuda where there is one), "cpu", "cuda" or "cuda:N". Without a number,
            torchrun's LOCAL_RANK chooses the GPU.
        dtype: "auto" (float16 on a GPU, float32 on a CPU), "float32", "float16" or "bfloat16".
    """

    device: str = "cpu"
    dtype: str = "float32"

    def torch_device(self) -> torch.device:
        """The device; one that this machine lacks is an `EmollamaError`."""
        kind, _, number = self.device.partition(":")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if self.device == "cpu" or (self.device == "auto" and not count):
            return torch.device("cpu")
        if (number and kind != "cuda") or kind not in ("auto", "cuda"):
            raise EmollamaError(f"--device {self.device}: must be auto, cpu, cuda or cuda:N")
        if ":" in self.device and not number.isdecimal():
            raise EmollamaError(f"--device {self.device}: must be auto, cpu, cuda or cuda:N")
        if not count:
            raise EmollamaError(f"--device {self.device}: this machine has no CUDA device")
        # Ranks above the number of GPUs share them in turn.
        index = int(number) if number else torchrun.local_rank() % count
        if index >= count:
            raise EmollamaError(
                f"--device {self.device}: this machine has cuda:0 to cuda:{count - 1}"
            )
        return torch.device("cuda", index)

    def torch_dtype(self) -> torch.dtype:
        """The number format; an unknown name is an `EmollamaError`."""
        if self.dtype == "auto":
            return torch.float16 if self.torch_device().type == "cuda" else torch.float32
        if self.dtype not in DTYPES:
            raise EmollamaError(f"--dtype {self.dtype}: must be one of auto, {', '.join(DTYPES)}")
        return DTYPES[self.dtype]

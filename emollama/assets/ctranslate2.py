"""Reading CTranslate2's model.bin, binary version 6, without CTranslate2.

All numbers are little-endian. A string is a u16 length that counts a final NUL, then the bytes.
The file is: u32 binary version, string name of the model's specification, u32 its revision,
u32 number of variables, the variables, u32 number of aliases, the aliases (two strings each:
alias, variable). A variable is: string name, u8 rank, u32 for each dimension, u8 type,
u32 number of bytes, the bytes.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from emollama.base.errors import EmollamaError

_TYPES = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}


def read_model(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """The specification's name and every variable (aliases resolved) of a model.bin.

    Raises:
        EmollamaError: the file is of another version, or ends early.
    """
    data = path.read_bytes()
    position = 0

    def number(code: str) -> int:
        nonlocal position
        (value,) = struct.unpack_from("<" + code, data, position)
        position += struct.calcsize(code)
        return int(value)

    def text() -> str:
        nonlocal position
        length = number("H")
        value = data[position : position + length]
        position += length
        return value.rstrip(b"\0").decode()

    try:
        version = number("I")
        if version != 6:
            raise EmollamaError(
                f"{path.name}: CTranslate2 binary version {version}; only 6 is supported"
            )
        spec = text()
        number("I")
        variables: dict[str, np.ndarray] = {}
        for _ in range(number("I")):
            name = text()
            shape = tuple(number("I") for _ in range(number("B")))
            dtype = np.dtype(_TYPES[number("B")])
            size = number("I")
            count = size // dtype.itemsize
            values = np.frombuffer(data, dtype, count, position)
            variables[name] = values.reshape(shape)
            position += size
        for _ in range(number("I")):
            alias = text()
            variables[alias] = variables[text()]
    except (struct.error, KeyError, ValueError) as error:
        raise EmollamaError(f"{path.name}: is not a whole CTranslate2 model: {error}") from error
    return spec, variables

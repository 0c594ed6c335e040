"""One family of models; only this file asks "a language model or a fusion model?".

Everything that starts from an artefact's folder or a training configuration (train, plan, evaluate,
predict, explain, serve) uses this table. Each kind is imported lazily: a wrong path is reported
before any library is loaded, and a language model loads no fusion system.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from yaml import YAMLError

from emollama.assets.hub import artefact_folder, repository
from emollama.assets.registry import need_llm
from emollama.base.config import load_config, need_data, read_values
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, read_text
from emollama.base.paths import FUSION_FILE, PROCESSOR_FILE, need_artefact, need_start
from emollama.base.precision import Precision, Quantisation
from emollama.base.quiet import quiet_libraries
from emollama.inputs.config import DataSection
from emollama.manifest.split_file import need_split, read_with_splits
from emollama.manifest.twins import twins_of
from emollama.media.whispers import Whisper
from emollama.runs.checkpoints import CHECKPOINTS, newest_checkpoint

if TYPE_CHECKING:
    from emollama.fusion.artefact import FusionArtefact
    from emollama.fusion.training.config import FusionTrainConfig
    from emollama.llm.artefact import LlmArtefact
    from emollama.llm.training.config import TrainConfig
    from emollama.runs.artefact import Artefact, Family
    from emollama.session.base import Session


class Kind(Protocol):
    """The differences between kinds of models.

    Attributes:
        family: its name.
        mark: the file that only its artefacts have.
        section: the section that only its training configurations have.
    """

    family: Family
    mark: str
    section: str

    def open(self, folder: Path, dtype: Precision, quantise: Quantisation | None) -> Artefact:
        """The artefact of a folder."""

    def session(self, artefact: Any, describe: bool) -> Session:
        """A session: the artefact with its encoders."""

    def load_training(self, path: Path, overrides: Sequence[str]) -> Any:
        """The configuration of a run."""

    def train(self, config: Any) -> Path:
        """Train as configured; returns the artefact's folder."""

    def plan(self, path: Path, overrides: Sequence[str], gpus: int) -> Any:
        """The expected cost of a run."""


class _LanguageModel:
    family: Family = "llm"
    mark = PROCESSOR_FILE
    section = "model"

    def open(self, folder: Path, dtype: Precision, quantise: Quantisation | None) -> LlmArtefact:
        from emollama.llm.artefact import LlmArtefact

        return LlmArtefact.open(folder, dtype, quantise)

    def session(self, artefact: LlmArtefact, describe: bool) -> Session:
        from emollama.session.llm_session import LlmSession

        return LlmSession(artefact, describe)

    def load_training(self, path: Path, overrides: Sequence[str]) -> TrainConfig:
        from emollama.llm.training.config import TrainConfig

        return load_config(TrainConfig, path, overrides)

    def train(self, config: TrainConfig) -> Path:
        from emollama.llm.training.sft import train

        return train(config)

    def plan(self, path: Path, overrides: Sequence[str], gpus: int) -> Any:
        need_inputs(path, overrides)
        config = self.load_training(path, overrides)
        quiet_libraries()
        from emollama.llm.training.plan import plan

        return plan(config, gpus)


class _FusionModel:
    family: Family = "fusion"
    mark = FUSION_FILE
    section = "fusion"

    def open(self, folder: Path, dtype: Precision, quantise: Quantisation | None) -> FusionArtefact:
        from emollama.fusion.artefact import FusionArtefact

        return FusionArtefact.open(folder, dtype, quantise)

    def session(self, artefact: FusionArtefact, describe: bool) -> Session:
        from emollama.session.fusion_session import FusionSession

        return FusionSession(artefact, describe)

    def load_training(self, path: Path, overrides: Sequence[str]) -> FusionTrainConfig:
        from emollama.fusion.training.config import FusionTrainConfig

        return load_config(FusionTrainConfig, path, overrides)

    def train(self, config: FusionTrainConfig) -> Path:
        from emollama.fusion.training.loop import train_fusion

        return train_fusion(config)

    def plan(self, path: Path, overrides: Sequence[str], gpus: int) -> Any:
        raise EmollamaError(
            f"{path}: configures a fusion model (fusion:), but plan is for language "
            "models (model:). A fusion run prints its parameters, steps and time left: "
            f"emollama train {path}"
        )


LANGUAGE_MODEL, FUSION_MODEL = _LanguageModel(), _FusionModel()
KINDS: tuple[Kind, ...] = (LANGUAGE_MODEL, FUSION_MODEL)


def kind_of_artefact(folder: Path) -> Kind:
    """The kind of an artefact, by its distinctive file.

    Raises:
        EmollamaError: the folder is not an artefact.
    """
    need_artefact(folder)
    return next(kind for kind in KINDS if (folder / kind.mark).is_file())


def open_artefact(
    folder: Path, dtype: Precision = "auto", quantise: Quantisation | None = None
) -> Artefact:
    """Open an artefact of any kind, on the accelerator if there is one.

    Args:
        folder: folder from training, or the name of a hub repository.
        dtype: of a language model.
        quantise: how a language model is held; None as in training.

    Raises:
        EmollamaError: the folder is not an artefact, or cannot be read.
    """
    folder = artefact_folder(folder)
    return kind_of_artefact(folder).open(folder, dtype, quantise)


def stored_labels(folder: Path) -> tuple[str, ...]:
    """The label set of an artefact, without loading it.

    Raises:
        EmollamaError: the folder is not an artefact, or its label set cannot be read.
    """
    path = folder / kind_of_artefact(folder).mark
    try:
        return tuple(map(str, read_json(path)["labels"]["labels"]))
    except (KeyError, TypeError) as error:
        raise EmollamaError(f"{path}: holds no label set") from error


def open_session(
    folder: Path,
    dtype: Precision = "auto",
    describe: bool = True,
    whisper: Whisper = Whisper(),  # noqa: B008  it is frozen
    quantise: Quantisation | None = None,
    engine: str | None = None,
) -> Session:
    """Open an artefact with its encoders, ready to answer questions about clips.

    Args:
        folder: the artefact, or the name of a hub repository.
        dtype: of a language model.
        describe: whether to describe clips as well (peak frame, timeline), which needs the face
            assets; otherwise clips are only encoded.
        whisper: the transcriber; one that was chosen is fetched where the words are read.
        quantise: how a language model is held; None as in training.
        engine: address of a vLLM server on this machine that writes the text.

    Raises:
        EmollamaError: for every mistake the user can fix.
    """
    folder = artefact_folder(folder)
    kind = kind_of_artefact(folder)
    artefact = kind.open(folder, dtype, quantise)
    if engine is not None:
        artefact.write_by(engine)
    session = kind.session(artefact, describe)
    session.observer.transcribe_by(whisper, session.listens(None))
    return session


def need_inputs(path: Path, overrides: Sequence[str]) -> None:
    """Refuse a training configuration that names data or a language model that is not there, or
    manifests that cannot be trained on.

    Raises:
        EmollamaError: naming it, or what is wrong with the configuration's YAML.
    """
    need_data(path, overrides)
    values = read_values(path, overrides)
    model = values.get("model")
    if isinstance(model, dict) and isinstance(model.get("llm"), str):
        need_llm(model["llm"])
    if isinstance(model, dict) and isinstance(start := model.get("initialise_from"), str):
        begun = newest_checkpoint(Path(str(values.get("output"))) / CHECKPOINTS)
        # What a run that goes on began with may be gone; the hub is asked later.
        if begun is None and repository(Path(start)) is None:
            need_start(Path(start))
    try:
        data = DataSection.model_validate(values.get("data"))
    except ValidationError:
        return  # `load_training` tells what is wrong with it
    if data.manifest is not None:
        need_split(data.manifest, data.train_split, data.split_file)
    manifests = [read_with_splits(one.manifest, one.split_file) for one in data.manifests]
    if key := _needs_twins(values):
        if data.manifest is not None:
            manifests = [read_with_splits(data.manifest, data.split_file)]
        names = data.train_split.split("+")
        if not any(twins_of(s for s in m.samples if s.split in names) for m in manifests):
            where = ", ".join(str(m.path) for m in manifests)
            raise EmollamaError(
                f"{where}: {key} needs twins among the training samples, and there are none; make "
                "them with emollama synth --twins --out DIR and add their manifest to "
                "data.manifests"
            )


def _needs_twins(values: dict[str, Any]) -> str | None:
    """The setting that needs twins; None without one."""
    training = values.get("training")
    if not isinstance(training, dict):
        return None
    if training.get("method") == "dpo":
        return "training.method: dpo"
    return "training.twins" if training.get("twins") is True else None


def kind_of_training(path: Path) -> Kind:
    """The kind of model that a configuration trains: a fusion model if it has a section `fusion:`.

    Raises:
        EmollamaError: it has sections of several kinds.
    """
    try:
        values = OmegaConf.create(read_text(path))
    except (YAMLError, OmegaConfBaseException):
        return LANGUAGE_MODEL  # load_config tells what is wrong with it
    found = [kind for kind in KINDS if OmegaConf.is_dict(values) and kind.section in values]
    if len(found) > 1:
        both = " and ".join(sorted(kind.section for kind in found))
        raise EmollamaError(f"{path}: has {both}; keep one of them")
    return found[0] if found else LANGUAGE_MODEL


def load_training(path: Path, overrides: Sequence[str] = ()) -> TrainConfig | FusionTrainConfig:
    """The configuration of a run, of the kind of model that it trains.

    Raises:
        EmollamaError: as `load_config` and `kind_of_training`.
    """
    config: TrainConfig | FusionTrainConfig = kind_of_training(path).load_training(path, overrides)
    return config


def train(path: Path, overrides: Sequence[str] = ()) -> Path:
    """Train as configured; returns the artefact's folder."""
    kind = kind_of_training(path)
    config = kind.load_training(path, overrides)
    quiet_libraries()  # which loads one
    return kind.train(config)

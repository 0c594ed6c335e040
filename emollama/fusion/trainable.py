"""Encoders trained with the fusion model: any transformers text model, and speech models.

RoBERTa (Liu et al. 2019) over token ids, wav2vec 2.0 (Baevski et al. 2020), HuBERT (Hsu et al.
2021) or WavLM (Chen et al. 2022) over waveforms at 16 kHz.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig
from transformers.utils import logging

from emollama.base.errors import EmollamaError
from emollama.fusion.configuration import ModalitySection
from emollama.fusion.data.tokenizing import has_tokenizer, load_tokenizer, longest_text
from emollama.fusion.layers import Tokens, compact
from emollama.media.clip import SAMPLE_RATE


class TrainableEncoder(nn.Module):
    """A transformers model that maps raw input to its last hidden states.

    A row's output depends on that row's valid input only: text is read without padding, a
    waveform's convolutions see its own samples, and the model attends to valid steps only. Parts
    that would never get a gradient are left out (a pooler, the embedding of masked spans), and so
    is random dropping of layers or spans in training; dropout stays.

    Frozen parts (all of it, or everything before the section's `trained_layers`) always run in
    evaluation mode.

    Args:
        section: a modality of kind "tokens" or "waveform"; `source` is a local folder.
        record: `record` of the original encoder. If given, nothing is read from the folder, and the
            weights are random until a state dict is loaded.

    Attributes:
        width: of the hidden states.
        record: "config", of the transformers model; "normalise", whether each waveform is scaled to
            mean 0 and deviation 1.
        tokenizer: of a text encoder that was read from its folder, if it has one; else None.
    """

    def __init__(self, section: ModalitySection, record: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.where = f"modality '{section.name}'"
        self.waveform = section.kind == "waveform"
        config = self._config(section, record)
        self.model = _model(section, config, pretrained=record is None)
        self.record = record or {
            "config": config.to_dict(),
            "normalise": self.waveform and _normalises(Path(section.source)),
        }
        self.tokenizer: Any = None
        folder = Path(section.source)
        if record is None and not self.waveform and has_tokenizer(folder):
            self.tokenizer = load_tokenizer(folder, self.where)
        self.width = int(config.hidden_size)
        self.trained_layers = section.trained_layers
        self.frozen = False
        self.freeze(section.frozen)

    def _config(self, section: ModalitySection, record: dict[str, Any] | None) -> Any:
        if record is not None:
            return AutoConfig.for_model(**record["config"])
        config = _read_config(section)
        if self.waveform != hasattr(config, "conv_stride") or config.is_encoder_decoder:
            wanted = "a speech model such as wav2vec 2.0" if self.waveform else "a text encoder"
            raise EmollamaError(
                f"{section.source}: is a {config.model_type} model; {self.where} needs {wanted}"
            )
        if getattr(config, "add_adapter", False):
            raise EmollamaError(f"{section.source}: has an adapter; use a speech model without one")
        for name in ("mask_time_prob", "mask_feature_prob", "layerdrop"):
            if self.waveform:
                setattr(config, name, 0.0)
        return config

    def freeze(self, frozen: bool = True) -> None:
        """Freeze the encoder, or unfreeze it."""
        self.frozen = frozen
        self.requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> TrainableEncoder:
        """Training mode; frozen parts stay in evaluation mode."""
        trained = self.trained
        whole = trained == [self]
        super().train(mode and whole)
        if not whole:  # loading a model makes its parameters anew, and then calls this
            kept = {id(parameter) for part in trained for parameter in part.parameters()}
            for parameter in self.parameters():
                if id(parameter) not in kept:
                    parameter.requires_grad_(False)
            for part in trained:
                part.train(mode)
        return self

    @property
    def trained(self) -> list[nn.Module]:
        """Trained parameters: the encoder's, its last layers' or none."""
        if self.frozen:
            return []
        if not self.trained_layers:
            return [self]
        lists = [
            list(module)
            for name, module in self.model.named_modules()
            if isinstance(module, nn.ModuleList) and name.rpartition(".")[2] in ("layer", "layers")
        ]
        layers = lists[0] if lists else []
        if self.trained_layers <= len(layers):
            return layers[-self.trained_layers :]
        raise EmollamaError(
            f"{self.where}: trained_layers {self.trained_layers} of the {len(layers)} layers of "
            f"{self.model.config.model_type}"
        )

    def forward(
        self, values: Tensor, valid: Tensor, times: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden states [B, L', width], valid [B, L'] and times [B, L'] of raw input.

        Args:
            values: token ids [B, L], or waveforms [B, L, S]: L pieces of S samples, end to end.
            valid: bool [B, L].
            times: seconds [B, L] of each piece's centre.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            encoded = (self._speech if self.waveform else self._text)(values, valid, times)
        return encoded.values, encoded.valid, encoded.times

    def _text(self, ids: Tensor, valid: Tensor, times: Tensor) -> Tokens:
        steps = compact(Tokens(ids[..., None], valid, times))
        longest = int(steps.valid.sum(dim=1).max())
        config = self.model.config
        padding = getattr(config, "pad_token_id", None) or 0
        limit = longest_text(config)
        if limit is not None and longest > limit:
            raise EmollamaError(
                f"{self.where}: a text has {longest} tokens; {config.model_type} reads "
                f"at most {limit}"
            )
        rows = steps.valid.any(dim=1)
        mask = steps.valid[:, : max(1, longest)]
        hidden = self._empty(mask)
        if bool(rows.any()):
            ids = steps.values[:, :longest, 0].masked_fill(~mask, padding)[rows]
            states = self.model(input_ids=ids, attention_mask=mask[rows].long())
            hidden = hidden.index_put((rows,), states.last_hidden_state)
        return Tokens(hidden, mask, steps.times[:, : mask.shape[1]])

    def _speech(self, values: Tensor, valid: Tensor, times: Tensor) -> Tokens:
        pieces = compact(Tokens(values, valid, times))
        samples = pieces.valid.sum(dim=1) * values.shape[-1]
        steps = self._steps(samples)
        rows = steps > 0
        mask = torch.arange(max(1, int(steps.max())), device=steps.device) < steps[:, None]
        hidden = self._empty(mask)
        if bool(rows.any()):
            waveforms = self._normalised(pieces.values.flatten(1), samples)
            local = self._convolved(waveforms[rows], samples[rows], steps[rows])
            projected = self.model.feature_projection(local)
            # wav2vec 2.0 and WavLM also give back their input, HuBERT does not.
            projected = projected[0] if isinstance(projected, tuple) else projected
            states = self.model.encoder(projected, attention_mask=mask[rows])
            hidden = hidden.index_put((rows,), states.last_hidden_state)
        start = pieces.times[:, 0] - values.shape[-1] / 2 / SAMPLE_RATE
        centres = start[:, None] + self._centres(mask.shape[1], like=times)
        return Tokens(hidden, mask, torch.where(mask, centres, 0.0))

    def _convolved(self, waveforms: Tensor, samples: Tensor, steps: Tensor) -> Tensor:
        """Local features [R, L', C] of R rows, each from its own samples only."""
        if self.model.config.feat_extract_norm == "layer":
            # A valid step reaches no further than its row's last sample.
            longest = int(samples.max())
            return self.model.feature_extractor(waveforms[:, :longest]).transpose(1, 2)
        # A group norm runs over all of time, so that rows of each length go by themselves.
        local = None
        for count in samples.unique().tolist():
            same = samples == count
            part = self.model.feature_extractor(waveforms[same, :count]).transpose(1, 2)
            if local is None:
                local = part.new_zeros(len(samples), int(steps.max()), part.shape[-1])
            padded = nn.functional.pad(part, (0, 0, 0, local.shape[1] - part.shape[1]))
            local = local.index_put((same,), padded)
        assert local is not None
        return local

    def _normalised(self, waveforms: Tensor, samples: Tensor) -> Tensor:
        if not self.record["normalise"]:
            return waveforms
        inside = torch.arange(waveforms.shape[1], device=samples.device) < samples[:, None]
        count = samples.clamp(min=1)[:, None]
        centred = torch.where(inside, waveforms - waveforms.sum(1, keepdim=True) / count, 0.0)
        return centred / ((centred**2).sum(1, keepdim=True) / count + 1e-7).sqrt()

    def _steps(self, samples: Tensor) -> Tensor:
        """Steps that the convolutions make from so many samples; 0 if too few for one."""
        for kernel, stride in self._convolutions():
            samples = ((samples - kernel).div(stride, rounding_mode="floor") + 1).clamp(min=0)
        return samples

    def _centres(self, steps: int, like: Tensor) -> Tensor:
        """Seconds [steps] from the first sample's start to the centre of each receptive field."""
        stride, reach = 1, 1
        for kernel, step in self._convolutions():
            reach += (kernel - 1) * stride
            stride *= step
        return (torch.arange(steps, device=like.device) * stride + reach / 2) / SAMPLE_RATE

    def _convolutions(self) -> Sequence[tuple[int, int]]:
        config = self.model.config
        return list(zip(config.conv_kernel, config.conv_stride, strict=True))

    def _empty(self, mask: Tensor) -> Tensor:
        like = next(self.model.parameters())
        return like.new_zeros(*mask.shape, self.width)


def require_source(section: ModalitySection) -> None:
    """Raise an error for a raw modality whose encoder's folder does not exist."""
    if section.kind not in ("tokens", "waveform"):
        return
    if not section.source or not (Path(section.source) / "config.json").is_file():
        raise EmollamaError(
            f"modality '{section.name}': source '{section.source}' is not a folder of a "
            "transformers model (no config.json in it)"
        )


def _read_config(section: ModalitySection) -> PreTrainedConfig:
    require_source(section)
    try:
        return AutoConfig.from_pretrained(
            section.source, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise EmollamaError(f"{section.source}/config.json: {error}") from error


def _model(section: ModalitySection, config: Any, pretrained: bool) -> Any:
    if pretrained:
        model = _with_weights(section.source, config)
    else:
        model = AutoModel.from_config(config, dtype=torch.float32)
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # reads the first position only; nothing here reads it
    return model


def _with_weights(folder: str, config: Any) -> Any:
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # what is left out on purpose would be reported as a mistake
    try:
        model, loaded = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise EmollamaError(f"{folder}: its weights cannot be read: {reason}") from error
    finally:
        logging.set_verbosity(verbosity)
    missing = sorted(key for key in loaded["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise EmollamaError(f"{folder}: its weights lack {missing[0]} ({len(missing)} in all)")
    return model


def _normalises(folder: Path) -> bool:
    """Settings of the folder's feature extractor; transformers' defaults if it has none."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return True
    try:
        extractor = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EmollamaError(f"{path}: not JSON: {error}") from error
    rate = extractor.get("sampling_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise EmollamaError(f"{path}: sampling_rate is {rate}; only {SAMPLE_RATE} is supported")
    return bool(extractor.get("do_normalize", True))

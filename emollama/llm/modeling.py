"""EmotionLlama: a causal language model that also reads feature streams.

The processor lays out a prompt as token ids in which the positions of a stream hold an ordinary
id as placeholder, and says in `stream_ids` which stream each position belongs to (-1: text).
The model replaces those embeddings by projected features and calls the language model. Positions
never come from comparing ids, so no text can inject a stream.

Follows Emotion-LLaMA (Cheng et al., NeurIPS 2024) in its idea: frozen encoders, one projector a
stream, LoRA in a LLaMA-family chat model.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import ModelOutput

from emollama.llm.configuration import EmotionLlamaConfig, StreamConfig
from emollama.llm.partitioned import whole
from emollama.llm.projector import Projector

IGNORED = -100
TEXT = -1


@dataclass
class EmotionLlamaOutput(ModelOutput):
    """`loss`: scalar, or None without labels. `sample_losses` [N]: token mean of each sample.
    `logits` [B, S, V] without labels, else None (the head then runs at supervised positions only).
    `token_losses` [T] are those of the supervised tokens, `owners` [T] the samples that they are
    of.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    sample_losses: Tensor | None = None
    token_losses: Tensor | None = None
    owners: Tensor | None = None


class EmotionLlama(PreTrainedModel):
    """A language model with one projector a stream, each a module `projector_<stream name>`."""

    config_class = EmotionLlamaConfig
    config: EmotionLlamaConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    supports_gradient_checkpointing = True
    # Without labels no loss arguments are taken; the loss is already a mean over samples.
    accepts_loss_kwargs = False

    def __init__(
        self, config: EmotionLlamaConfig, language_model: PreTrainedModel | None = None
    ) -> None:
        super().__init__(config)
        if language_model is None:
            language_model = AutoModelForCausalLM.from_config(
                copy.deepcopy(config.text_config), attn_implementation=config._attn_implementation
            )
        self.language_model = language_model
        embeddings = cast(nn.Embedding, language_model.get_input_embeddings())
        with whole([cast(nn.Parameter, embeddings.weight)]):
            table = embeddings.weight.detach()
            # `from_pretrained` builds on the meta device, without values, and fills in all of them.
            scale = 0.0 if table.is_meta else float(table[:4096].float().std())
        for stream in config.stream_configs:
            projector = Projector(stream, embeddings.embedding_dim, scale if scale > 0 else 0.02)
            self.add_module(f"projector_{stream.name}", projector)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, Projector):
            module.reset_parameters()

    def get_input_embeddings(self) -> nn.Module:
        """The language model's token embeddings."""
        return self.language_model.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        """The language model's head."""
        return self.language_model.get_output_embeddings()

    def projector(self, name: str) -> Projector:
        """The projector of one stream."""
        return getattr(self, f"projector_{name}")

    def embed(
        self,
        input_ids: Tensor,
        stream_ids: Tensor,
        features: dict[str, Tensor],
        present: dict[str, Tensor],
    ) -> Tensor:
        """Embeddings [B, S, H] with the streams in their places.

        Args:
            input_ids: [B, S].
            stream_ids: [B, S]; index of the stream a position belongs to, -1 for text.
            features: for each stream [N, tokens, width], one row for each sample that has
                positions for it, in the order in which the samples stand in the batch.
            present: for each stream [N]; False where the track is missing.
        """
        embeddings = self.get_input_embeddings()(input_ids)
        for index, stream in enumerate(self.config.stream_configs):
            # Called through the module, not a method of it, so that peft's wrapper around a
            # projector that is trained whole is in the path.
            projector = getattr(self, f"projector_{stream.name}")
            if stream.name not in features:
                if self.training:
                    embeddings = embeddings + self._unused(projector, stream).to(embeddings)
                continue
            projected = projector(features[stream.name], present[stream.name])
            mask = (stream_ids == index).unsqueeze(-1).expand_as(embeddings)
            embeddings = embeddings.masked_scatter(mask, projected.to(embeddings.dtype))
        return embeddings

    def _unused(self, projector: nn.Module, stream: StreamConfig) -> Tensor:
        """Zero, by way of a projector that this batch has no positions for.

        Which streams a micro-batch holds differs between processes; gradients and parameters are
        exchanged by all of them (DistributedDataParallel, ZeRO), so each must run every projector.
        """
        features = torch.zeros(1, stream.tokens, stream.width, device=self.device)
        present = torch.zeros(1, dtype=torch.bool, device=self.device)
        return projector(features, present).sum() * 0.0

    def hidden_states(
        self,
        input_ids: Tensor,
        stream_ids: Tensor,
        features: dict[str, Tensor],
        present: dict[str, Tensor],
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Last hidden states [B, S, H] of the language model, before the head."""
        embeddings = self.embed(input_ids, stream_ids, features, present)
        decoder = cast(nn.Module, self.language_model.get_decoder())
        return decoder(
            inputs_embeds=embeddings,
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=False,
        ).last_hidden_state

    def forward(
        self,
        input_ids: Tensor,
        stream_ids: Tensor,
        features: dict[str, Tensor],
        present: dict[str, Tensor],
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        labels: Tensor | None = None,
        sample_ids: Tensor | None = None,
        loss_weights: Tensor | None = None,
        **_: Any,
    ) -> EmotionLlamaOutput:
        """Logits, or with `labels` the loss.

        The loss is the mean over samples of each sample's token mean times its weight: an emotion
        word of 2 tokens then counts as much as a reason of 60. The head runs at supervised
        positions only.

        Args:
            labels: [B, S], -100 where unsupervised; labels[t] is the token at t, predicted at t-1.
            sample_ids: [B, S] index of the sample a position belongs to; rows when None.
            loss_weights: [N] weight of each sample's task; ones when None.
        """
        hidden = self.hidden_states(
            input_ids, stream_ids, features, present, attention_mask, position_ids
        )
        head = self.get_output_embeddings()
        if labels is None:
            return EmotionLlamaOutput(logits=head(hidden))
        rows, columns = (labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
        logits = head(hidden[rows, columns]).float()
        token_losses = nn.functional.cross_entropy(
            logits, labels[rows, columns + 1], reduction="none"
        )
        owner = rows if sample_ids is None else sample_ids[rows, columns + 1]
        count = len(labels) if sample_ids is None else int(sample_ids.max()) + 1
        sums = token_losses.new_zeros(count).index_add(0, owner, token_losses)
        tokens = torch.bincount(owner, minlength=count).clamp(min=1)
        sample_losses = sums / tokens
        weights = torch.ones_like(sample_losses) if loss_weights is None else loss_weights
        return EmotionLlamaOutput(
            loss=(sample_losses * weights.to(sample_losses.dtype)).mean(),
            sample_losses=sample_losses.detach(),
            token_losses=token_losses,
            owners=owner,
        )

"""The projector of a stream: standardise, mix layers, project into the language model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from emollama.inputs.standardiser import Standardiser
from emollama.llm.configuration import StreamConfig


class Projector(Standardiser):
    """Maps features [N, tokens, width] to embeddings [N, tokens, hidden_size].

    It begins with the standardiser of the columns, whose buffers are saved with it. Where `present`
    is False the row is the absent vector, inserted by `torch.where` so that it is trained and the
    features' values cannot reach the output; without such a vector it is the projection of zeros.
    """

    def __init__(self, config: StreamConfig, hidden_size: int, output_scale: float = 0.02) -> None:
        super().__init__(config.width)
        self.config = config
        self.output_scale = output_scale
        inner = config.width // config.layers
        if config.layers > 1:
            self.layer_logits = nn.Parameter(torch.zeros(config.layers))
        self.dropout = nn.Dropout(config.dropout)
        if config.projector == "mlp":
            self.hidden = nn.Linear(inner, config.hidden)
            self.output = nn.Linear(config.hidden, hidden_size)
        else:
            self.output = nn.Linear(inner, hidden_size)
        if config.absent == "learned":
            self.absent = nn.Parameter(torch.empty(config.tokens, hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start at the size of the language model's own token embeddings.

        Weights of deviation scale/sqrt(inputs) give standardised inputs the deviation `scale`;
        larger outputs would drown the words of the prompt in the first steps.
        """
        if hasattr(self, "hidden"):
            nn.init.normal_(self.hidden.weight, std=self.hidden.in_features**-0.5)
            nn.init.zeros_(self.hidden.bias)
        nn.init.normal_(self.output.weight, std=self.output_scale * self.output.in_features**-0.5)
        nn.init.zeros_(self.output.bias)
        if hasattr(self, "absent"):
            nn.init.normal_(self.absent, std=self.output_scale)

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """Project [N, tokens, width]; `present` [N] is True where the track exists."""
        dtype = self.output.weight.dtype
        there = present[:, None, None]
        if self.config.standardise:
            x = super().forward(features.float(), there[..., 0])
        else:
            x = torch.where(there, features.float(), 0.0)
        x = self.dropout(x.to(dtype))
        if self.config.layers > 1:
            weights = self.layer_logits.softmax(dim=0)
            x = (x.unflatten(-1, (self.config.layers, -1)) * weights[:, None]).sum(dim=-2)
            x = x * self.config.layers**0.5
        if self.config.projector == "mlp":
            x = nn.functional.gelu(self.hidden(x))
        x = self.output(x)
        if self.config.absent != "learned":
            return x
        # With no row present (a batch of dropped channels) the weights must still get a
        # gradient, of zero, or DistributedDataParallel waits for it for ever; where() gives it.
        return torch.where(there, x, self.absent.to(x.dtype))

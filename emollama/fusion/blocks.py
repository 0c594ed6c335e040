"""Transformer blocks (Vaswani et al. 2017) shared by several systems."""

from __future__ import annotations

from torch import Tensor, nn

from emollama.fusion.layers import Attention


class AttentionBlock(nn.Module):
    """Attention, dropout, residual, layer norm: 4d² + 6d parameters.

    Queries without a valid key are only normalised.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, queries: Tensor, keys: Tensor, valid: Tensor, explain: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """[B, Lq, d] over keys [B, Lk, d]; head-averaged weights [B, Lq, Lk] if `explain`."""
        attended, weights = self.attention(queries, keys, valid, explain)
        return self.norm(queries + self.dropout(attended)), weights


def feed_forward(width: int, hidden: int, dropout: float) -> nn.Sequential:
    """Linear, ReLU, dropout, linear: 2dh + h + d parameters."""
    return nn.Sequential(
        nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width)
    )


class FeedForwardBlock(nn.Module):
    """Feed-forward network, dropout, residual, layer norm: 2dh + h + 3d parameters."""

    def __init__(self, width: int, hidden: int, dropout: float, inner_dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = feed_forward(width, hidden, inner_dropout)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, values: Tensor) -> Tensor:
        """[..., d] to [..., d]."""
        done: Tensor = self.norm(values + self.dropout(self.layers(values)))
        return done


class EncoderLayer(nn.Module):
    """Self-attention over valid steps, then feed-forward, each before its norm (post-norm)."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = AttentionBlock(width, heads, dropout)
        self.feed_forward = FeedForwardBlock(width, hidden, dropout, dropout)

    def forward(
        self, values: Tensor, valid: Tensor, explain: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """[B, L, d] to [B, L, d]; weights [B, L, L] if `explain`."""
        values, weights = self.attention(values, values, valid, explain)
        return self.feed_forward(values), weights

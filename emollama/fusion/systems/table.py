"""The fusion systems by name."""

from __future__ import annotations

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.modeling import FusionModel
from emollama.fusion.systems.amst import Amst
from emollama.fusion.systems.attention_pooling import AttentionPooling
from emollama.fusion.systems.early import Early
from emollama.fusion.systems.fine_grained import FineGrained
from emollama.fusion.systems.hri_emo import HriEmo
from emollama.fusion.systems.lmf import LMF
from emollama.fusion.systems.memocmt import MemoCMT
from emollama.fusion.systems.merbench_attention import MERBenchAttention
from emollama.fusion.systems.misa import MISA
from emollama.fusion.systems.mult import MulT
from emollama.fusion.systems.tfn import TFN
from emollama.fusion.systems.va_fclstm import VaFcLSTM
from emollama.fusion.systems.va_transformer import VaTransformer
from emollama.fusion.systems.va_transformer_attention import VaTransformerAttention
from emollama.fusion.systems.va_transformer_lstm import VaTransformerLSTM

SYSTEMS: dict[str, type[FusionModel]] = {
    "early": Early,
    "attention_pooling": AttentionPooling,
    "fine_grained": FineGrained,
    "memocmt": MemoCMT,
    "merbench_attention": MERBenchAttention,
    "lmf": LMF,
    "tfn": TFN,
    "mult": MulT,
    "misa": MISA,
    "hri_emo": HriEmo,
    "va_transformer": VaTransformer,
    "va_transformer_lstm": VaTransformerLSTM,
    "va_transformer_attention": VaTransformerAttention,
    "va_fclstm": VaFcLSTM,
    "amst": Amst,
}


def fusion_system(name: str) -> tuple[type[FusionConfig], type[FusionModel]]:
    """Configuration and model classes of a system."""
    if name not in SYSTEMS:
        raise EmollamaError(f"fusion.system '{name}'{did_you_mean(name, SYSTEMS)}")
    model = SYSTEMS[name]
    return model.config_class, model

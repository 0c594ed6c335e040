"""The fusion systems by name."""

from __future__ import annotations

from emollama.errors import EmollamaError, did_you_mean
from emollama.fusion.amst import Amst
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.early import Early
from emollama.fusion.hri_emo import HriEmo
from emollama.fusion.modeling import FusionModel
from emollama.fusion.va_fclstm import VaFcLSTM
from emollama.fusion.va_transformer import VaTransformer
from emollama.fusion.va_transformer_attention import VaTransformerAttention
from emollama.fusion.va_transformer_lstm import VaTransformerLSTM

SYSTEMS: dict[str, type[FusionModel]] = {
    "early": Early,
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

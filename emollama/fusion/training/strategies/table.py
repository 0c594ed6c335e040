"""The strategies by name."""

from __future__ import annotations

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.fusion.training.strategies.amst import AmstA, AmstF, AmstJ
from emollama.fusion.training.strategies.base import Strategy
from emollama.fusion.training.strategies.joint import Joint
from emollama.fusion.training.strategies.mla import Mla
from emollama.fusion.training.strategies.ogm_ge import OgmGe
from emollama.fusion.training.strategies.staged import Staged
from emollama.fusion.training.strategies.windows import Windows

STRATEGIES: dict[str, type[Strategy]] = {
    "joint": Joint,
    "staged": Staged,
    "amst-a": AmstA,
    "amst-j": AmstJ,
    "amst-f": AmstF,
    "ogm-ge": OgmGe,
    "mla": Mla,
    "windows": Windows,
}


def strategy_class(name: str) -> type[Strategy]:
    """The strategy of a name."""
    if name not in STRATEGIES:
        raise EmollamaError(f"strategy.name '{name}'{did_you_mean(name, STRATEGIES)}")
    return STRATEGIES[name]

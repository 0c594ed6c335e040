"""The strategies by name."""

from __future__ import annotations

from emollama.errors import EmollamaError, did_you_mean
from emollama.training.strategies.amst import AmstA, AmstF, AmstJ
from emollama.training.strategies.base import Strategy
from emollama.training.strategies.joint import Joint
from emollama.training.strategies.mla import Mla
from emollama.training.strategies.ogm_ge import OgmGe
from emollama.training.strategies.staged import Staged
from emollama.training.strategies.windows import Windows

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

"""emollama: from a clip of a person to an emotion and the reasons for it."""

from emollama.base.version import __version__
from emollama.llm.interop.auto_classes import register_on_import

__all__ = ["__version__"]

register_on_import()

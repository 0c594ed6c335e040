"""emollama: from a clip of a person to an emotion and the reasons for it."""

__version__ = "0.2.0"

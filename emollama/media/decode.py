"""Decoding of video and audio files with PyAV."""

from emollama.media.clip import SAMPLE_RATE, Clip, Frames, MediaError

__all__ = ["SAMPLE_RATE", "Clip", "Frames", "MediaError"]

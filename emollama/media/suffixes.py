"""Suffixes of media files: which files of a folder are clips, and what is in them by name.

No complete list exists; what is not listed here may still be decoded when it is named.
"""

from __future__ import annotations

VIDEO = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".mpg", ".mpeg", ".ogv", ".wmv",
     ".mts", ".m2ts", ".3gp", ".vob", ".gif"}
)  # fmt: skip
SOUND = frozenset({".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".wma", ".aiff"})
PICTURES = (
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif",
)  # fmt: skip
"""Of a clip of one frame, or of the frames of a folder, the more usual first."""
PICTURE = frozenset(PICTURES)
MEDIA = VIDEO | SOUND | PICTURE

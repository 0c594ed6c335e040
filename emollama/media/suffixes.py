"""Suffixes of media files: which files of a folder are clips, and what is in them by name.

No complete list exists; what is not listed here may still be decoded when it is named.
"""

from __future__ import annotations

VIDEO = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".mpg", ".mpeg", ".ogv", ".wmv",
     ".mts", ".m2ts", ".3gp", ".vob", ".gif"}
)  # fmt: skip
SOUND = frozenset({".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".wma", ".aiff"})
PICTURE = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
MEDIA = VIDEO | SOUND | PICTURE

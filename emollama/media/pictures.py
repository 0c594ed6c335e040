"""Pictures as clips: one picture is a clip of one frame, a folder of numbered ones is a video.

Folders of frames are how DFEW, FERV39k and most projects on faces in the wild keep their clips.
What a file is, is told by its first bytes: names of downloads are often wrong.
"""

from __future__ import annotations

import re
import struct
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, features

from emollama.media.clip import Frames, MediaError
from emollama.media.container import MAX_SIDE_IN_FILE
from emollama.media.cutting import Box, cut_to, scale_within
from emollama.media.packets import PacketTimes
from emollama.media.suffixes import PICTURE

FPS = 25.0
"""Frames a second of a folder of frames for which nothing else is stated."""

_FIRST_BYTES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*")  # JPEG, PNG, TIFF
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, TypeError, struct.error, zlib.error)
"""What Pillow raises at damaged files, beside its own errors (which are of these kinds)."""


def is_still(path: Path) -> bool:
    """Whether a path is a folder, or a picture by its first bytes; False where it is neither."""
    return path.is_dir() or bool(_kind(path))


def _kind(path: Path) -> str:
    """'picture', 'heif' or 'avif'; empty for what is no picture or cannot be opened."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except (OSError, ValueError):
        return ""
    if head[4:8] == b"ftyp":
        # "mif1" is any picture of the family; the kinds it can be read as follow.
        if head[8:12] in _AVIF or (head[8:12] == b"mif1" and b"avif" in head[16:]):
            return "avif"
        return "heif" if head[8:12] in _HEIF else ""
    bitmap = head[:2] == b"BM" and head[6:10] == b"\0\0\0\0"
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return "picture" if bitmap or webp or head.startswith(_FIRST_BYTES) else ""


def frame_files(path: Path) -> list[Path]:
    """The pictures of a folder by the numbers in their names; a picture itself is the only one.

    Raises:
        MediaError: a folder without pictures.
    """
    if not path.is_dir():
        return [path]
    found = [
        file for file in path.iterdir()
        if file.suffix.lower() in PICTURE and not file.name.startswith(".")
    ]  # fmt: skip
    if not found:
        raise MediaError(
            f"{path}: is a folder without pictures; give a media file, a picture, or a folder of "
            "numbered frames (1.jpg, 2.jpg, ...)",
            "missing",
        )
    return sorted(found, key=_by_number)


def _by_number(file: Path) -> list[tuple[str, int]]:
    parts = re.findall(r"(\D*)(\d*)", file.name.lower())
    return [(text, int(number or 0)) for text, number in parts]


def still_times(path: Path, fps: float | None = None) -> PacketTimes:
    """The time of each picture, `FPS` or `fps` a second; those of a video are told by its packets.

    Raises:
        MediaError: a folder without pictures.
    """
    count, rate = len(frame_files(path)), fps or FPS
    return PacketTimes(
        [i / rate for i in range(count)], [True] * count, [True] * count, count / rate
    )


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height stated in a picture's header, or in that of a folder's first picture.

    Raises:
        MediaError: it cannot be read, or is larger than `MAX_SIDE_IN_FILE`.
    """
    with _opened(frame_files(path)[0]) as image:
        return image.size


def decode_stills(
    path: Path,
    times: PacketTimes,
    wanted: list[float],
    max_side: int | None,
    view: Box | None = None,
) -> Frames:
    """The pictures at the `wanted` times out of `times`; upright, all of the first one's size.

    Args:
        path: a picture, or a folder of them.
        times: `still_times` of it.
        wanted: sorted times in seconds.
        max_side: larger pictures are scaled down to this many pixels; None keeps them as stored.
        view: the part of the upright picture to cut out, which is then what `max_side` is of.

    Raises:
        MediaError: a picture cannot be decoded.
    """
    files, made = frame_files(path), dict[int, np.ndarray]()
    images: list[np.ndarray] = []
    size: tuple[int, int] | None = None
    for time in wanted:
        index = times.times.index(time)
        if index not in made:
            whole = _decode(files[index], max_side, view, size)
            size = size or (whole.shape[1], whole.shape[0])
            made[index] = cut_to(whole, view)
        images.append(made[index])
    return Frames(np.stack(images), np.array(wanted, np.float64))


def _decode(
    file: Path, max_side: int | None, view: Box | None, size: tuple[int, int] | None
) -> np.ndarray:
    """uint8 [H, W, 3] RGB of one picture, of the given width and height.

    Without them, such that what `view` is of it is within `max_side`.
    """
    with _opened(file) as opened:
        try:
            image = _rgb(ImageOps.exif_transpose(opened))
        except _DAMAGE as error:
            raise _unreadable(file, error) from error
    scale = scale_within(*image.size, max_side, view)
    width, height = (max(1, round(side * scale)) for side in image.size)
    if (size or (width, height)) != image.size:
        image = image.resize(size or (width, height), Image.Resampling.BOX)
    return np.array(image)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16 bits a pixel: Pillow would cut off what is above 255.
        deep = np.asarray(image).astype(np.int64)
        image = Image.fromarray((deep.clip(0, 65535) >> 8).astype(np.uint8))
    return image.convert("RGB")


def _opened(file: Path) -> Image.Image:
    """A picture with its header read.

    Raises:
        MediaError: it is missing, no picture, too large, or needs a package that is not there.
    """
    kind = _kind(file)
    if kind == "heif" and not _reads_heif():
        raise MediaError(
            f"{file}: is a HEIC picture, which needs the package pillow-heif "
            "(pip install 'emollama[heic]'); or save it as JPEG",
            "unreadable",
        )
    if kind == "avif" and not features.check("avif"):
        raise MediaError(
            f"{file}: is an AVIF picture, which this build of Pillow does not read (11.3 or later "
            "does); or save it as JPEG",
            "unreadable",
        )
    try:
        image = Image.open(file)
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise MediaError(
            f"{file}: its picture has more than {most} million pixels, the most that are decoded",
            "too large",
        ) from error
    except _DAMAGE as error:
        raise _unreadable(file, error) from error
    if max(image.size) > MAX_SIDE_IN_FILE:
        width, height = image.size
        image.close()
        raise MediaError(
            f"{file}: its picture is {width}×{height}; at most {MAX_SIDE_IN_FILE} pixels a "
            "side are decoded",
            "too large",
        )
    return image


@lru_cache(maxsize=1)
def _reads_heif() -> bool:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _unreadable(file: Path, error: Exception) -> MediaError:
    reason = " ".join(str(error).replace(f" '{file}'", "").split()) or type(error).__name__
    return MediaError(
        f"{file}: cannot be decoded as a picture ({reason}); it may be cut off or damaged",
        "unreadable",
    )

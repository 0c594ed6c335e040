"""Text files in whatever encoding a spreadsheet or an annotation tool saves them."""

from __future__ import annotations

import codecs
from pathlib import Path

from emollama.base.errors import EmollamaError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_USUAL = ("gb18030", "cp1252")  # GBK is a part of the first
_OTHERS = ("big5", "shift_jis", "euc_jp", "euc_kr", "cp1250", "cp1251", "cp1253", "cp1254")
_AS_GOOD = 0.02  # disorder, from 0 to 1, within which the more usual encoding is taken
_CONTROLS = dict.fromkeys(c for c in range(32) if chr(c) not in "\t\n\r\f\x0b\x1a")


def read_encoded(path: Path, encoding: str | None = None) -> tuple[str, str | None]:
    """The text of a file, and the encoding where it had to be guessed.

    UTF-8, and what begins with a byte order mark, is certain (None). Of UTF-16 without a mark, GBK,
    Windows-1252 and other national encodings the likeliest is taken by charset-normalizer; GBK and
    Windows-1252 where another is hardly better.

    Args:
        path: the file.
        encoding: a Python codec; None to find it out.

    Raises:
        EmollamaError: it cannot be read, is not text, or is not in the given encoding.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be read: {error.strerror or error}") from error
    if encoding is not None:
        return _as_said(data, path, encoding), None
    marked = next((codec for mark, codec in _MARKS if data.startswith(mark)), None)
    line = 1
    if marked is not None:
        try:
            return data.decode(marked), None
        except UnicodeDecodeError as error:
            raise EmollamaError(f"{path}: {_not(marked, error)}") from error
    if b"\0" in data:  # no text of bytes has one, while UTF-16 has many
        found = _wide(data)
    else:
        try:
            return data.decode("utf-8"), None
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
        found = _likeliest(data)
    if found is None:
        raise EmollamaError(
            f"{path}:{line}: is not UTF-8 text, nor text in another known encoding; name its "
            "encoding with --encoding"
        )
    return data.decode(found), found


def _as_said(data: bytes, path: Path, encoding: str) -> str:
    try:
        codec = codecs.lookup(encoding)
        if not codec._is_text_encoding:  # rot13, base64 and their like
            raise LookupError(encoding)
    except (LookupError, ValueError) as error:
        raise EmollamaError(
            f"encoding '{encoding}' is unknown; examples: utf-8, utf-16, gbk, cp1252"
        ) from error
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        raise EmollamaError(f"{path}: {_not(encoding, error)}") from error


def _not(encoding: str, error: UnicodeError) -> str:
    place = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
    return f"is not {encoding} text{place}"


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark, by the side on which the zero bytes of plain letters stand."""
    codec = "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return None
    return codec if text.translate(_CONTROLS) == text and "\0" not in text else None


def _likeliest(data: bytes) -> str | None:
    from charset_normalizer import from_bytes

    if any(byte in _CONTROLS for byte in data):
        return None
    found = from_bytes(data, cp_isolation=[*_USUAL, *_OTHERS])
    best = found.best()
    if best is None:
        return None
    good = {
        name: match.encoding
        for match in found
        if match.chaos <= best.chaos + _AS_GOOD
        for name in (match.encoding, *match.could_be_from_charset)
    }
    name = next((usual for usual in _USUAL if usual in good), best.encoding)
    try:
        data.decode(name)
    except UnicodeDecodeError:
        return None
    return name

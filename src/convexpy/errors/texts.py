"""Text from files that people wrote, on any system: a byte order mark says what the encoding is, else it is UTF-8."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import NamedTuple

from convexpy.errors import ProjectError, SourceLocation

_MARKS = (
    # UTF-32 before UTF-16: the one's mark begins with the other's.
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SHOWN = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
}


class TextUnreadable(ProjectError):
    """A file's bytes are not text in the encoding that they should have; `location` says where."""


class Encoding(NamedTuple):
    """The byte order mark that a file begins with (empty if it has none), and the codec of the rest."""

    mark: bytes
    codec: str

    def encode(self, text: str) -> bytes:
        """Return a text as the bytes of such a file."""
        return self.mark + text.encode(self.codec)


def encoding_of(data: bytes) -> Encoding:
    """Return how the bytes of a text file are to be read."""
    return next(
        (Encoding(mark, codec) for mark, codec in _MARKS if data.startswith(mark)), Encoding(b"", "utf-8")
    )


def decode_text(data: bytes, file: str, *, only_utf8: bool = False) -> str:
    """Return the text of a file, without its byte order mark; line ends stay as they are.

    `file` is its name for errors. `only_utf8` is for formats that are UTF-8 by definition.

    Raises:
        TextUnreadable: it is something else.
    """
    encoding = encoding_of(data)
    if only_utf8 and encoding.codec != "utf-8":
        raise _unreadable(f"{file} is {_SHOWN[encoding.codec]}; this format is UTF-8 by definition", file, 1)
    content = data[len(encoding.mark) :]
    try:
        text = content.decode(encoding.codec)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(encoding.codec, errors="replace")
        line = before.count("\n") + 1
        found = f"byte 0x{content[error.start]:02x} is not {_SHOWN[encoding.codec]}"
        if encoding.codec == "utf-8":
            found += "; the file seems to be in Latin-1 or Windows-1252"
        raise _unreadable(f"{file}:{line}: {found}", file, line) from None
    zero = text.find("\0")
    if zero >= 0:
        line = text.count("\n", 0, zero) + 1
        found = "a zero byte is not text; the file seems to be UTF-16 without a byte order mark"
        raise _unreadable(f"{file}:{line}: {found}", file, line)
    return text


def read_text(file: Path, *, only_utf8: bool = False) -> str:
    """Return the text of a file; see `decode_text`.

    Raises:
        OSError: it cannot be read.
        TextUnreadable: it is not text in its encoding.
    """
    return decode_text(file.read_bytes(), str(file), only_utf8=only_utf8)


def _unreadable(message: str, file: str, line: int) -> TextUnreadable:
    return TextUnreadable(message, location=SourceLocation(file, line), hint="save the file as UTF-8")

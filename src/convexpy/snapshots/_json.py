"""Documents as JSON: one a line, or one array.

A plain number is a float64 and `$integer`, `$bytes` and `$float` are honoured; in the form of exports (`uniform`) an
integer literal is an int64 instead. A number that a float64 cannot hold is refused: it would become another one.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from convexpy.errors import ArgumentError
from convexpy.snapshots._faults import Fault, Place, SnapshotError
from convexpy.snapshots._old_exports import OldTable
from convexpy.values import decode_export, decode_wire, from_json

Row = tuple[int, dict[str, Any] | Fault]
"""The line, and the document or what is wrong with it."""
LINE_BYTES_MAX = 8 * 1024 * 1024
"""A document has at most 1 MiB, its JSON a few times that."""
PIECE_BYTES = 32 * 1024
BOM = codecs.BOM_UTF8
_AT_BYTE = re.compile(r"\(byte (\d+)\)")
_SPACE = " \t\r\n"


def read_json_lines(
    stream: BinaryIO, file: str, *, uniform: bool = False, old: OldTable | None = None
) -> Iterator[Row]:
    """Yield the object of every line that is not blank; `old` reads those of a table of an older official export.

    Raises:
        SnapshotError: a line is longer than any document.
    """
    decode = old.decode if old is not None else decode_export if uniform else _decode_exact
    number = 0
    while line := stream.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise SnapshotError(f"{file}:{number}: the line is longer than {LINE_BYTES_MAX} bytes")
        if number == 1:
            _check_encoding(line, file)
            line = line.removeprefix(BOM)
        text = line.strip()
        if text:
            yield number, _document(text, decode, Place(file, number, 1))


def _check_encoding(start: bytes, file: str) -> None:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start[:4]:
        raise SnapshotError(
            f"{file}:1: the file is UTF-16 or UTF-32; JSON is UTF-8 by definition", hint="save it as UTF-8"
        )


def _exact(text: str) -> int:
    number = int(text)
    if abs(number) > 2**53 and (abs(number) >= 2**1024 or int(float(number)) != number):
        raise ValueError(f'a float64 cannot hold {text[:40]}: write it as a string, or as {{"$integer": …}}')
    return number


_LONG_INTEGER = re.compile(rb"[0-9]{16}")


def _decode_exact(text: bytes) -> Any:
    if _LONG_INTEGER.search(text):
        try:
            json.loads(text, parse_int=_exact)
        except UnicodeDecodeError:
            pass  # the decoder below says where
        except ValueError as error:
            if not isinstance(error, json.JSONDecodeError):
                raise ArgumentError(str(error)) from None
    return decode_wire(text)


def _document(text: bytes, decode: Any, place: Place) -> dict[str, Any] | Fault:
    try:
        value = decode(text)
    except ArgumentError as error:
        found = _AT_BYTE.search(error.message)
        column = int(found[1]) + 1 if found else 1
        return Fault(place._replace(column=column), error.message)
    if type(value) is not dict:
        return Fault(place, "a document is a JSON object")
    return value


class _Text:
    """The characters of a stream, of which only what is not read yet is kept, and the line of the next one."""

    def __init__(self, stream: BinaryIO, file: str) -> None:
        self._stream = stream
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._begun = False
        self.ended = False
        self.line = 1
        self.column = 1
        self.buffer = ""
        self.more()
        self.buffer = self.buffer.removeprefix("\ufeff")

    @property
    def place(self) -> Place:
        return Place(self._file, self.line, self.column)

    def more(self) -> None:
        """Read a piece."""
        # What is there already is one incomplete element, or nothing: as much again keeps long ones cheap.
        piece = self._stream.read(max(PIECE_BYTES, len(self.buffer)))
        if not self._begun:
            self._begun = True
            _check_encoding(piece[:4], self._file)
        self.ended = not piece
        try:
            self.buffer += self._decoder.decode(piece, final=self.ended)
        except UnicodeDecodeError:
            raise SnapshotError(
                f"{self.place}: what follows is not UTF-8", hint="save the file as UTF-8"
            ) from None

    def take(self, count: int) -> None:
        """Go on by so many characters."""
        taken = self.buffer[:count]
        lines = taken.count("\n")
        self.line += lines
        self.column = len(taken) - taken.rfind("\n") if lines else self.column + count
        self.buffer = self.buffer[count:]

    def next(self) -> str:
        """Go on to the next character that is not a space and return it; empty at the end."""
        while True:
            count = len(self.buffer) - len(self.buffer.lstrip(_SPACE))
            self.take(count)
            if self.buffer:
                return self.buffer[0]
            if self.ended:
                return ""
            self.more()


def read_json_array(stream: BinaryIO, file: str) -> Iterator[Row]:
    """Yield the objects of one JSON array, which is never in memory as a whole.

    Raises:
        SnapshotError: it is not a array, or breaks off; what follows such a place cannot be told apart.
    """
    text = _Text(stream, file)
    if text.next() != "[":
        raise SnapshotError(f"{text.place}: a JSON array is expected, `[` first")
    text.take(1)
    if text.next() == "]":
        text.take(1)
    else:
        while True:
            text.next()
            line, place = text.line, text.place
            yield line, _value(_element(text), place)
            separator = text.next()
            if separator not in (",", "]") or not separator:
                raise SnapshotError(f"{text.place}: `,` or `]` is expected")
            text.take(1)
            if separator == "]":
                break
    if text.next():
        raise SnapshotError(f"{text.place}: the array has ended, but something follows")


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


_scan = json.JSONDecoder(parse_constant=_refuse, parse_int=_exact).raw_decode


def _element(text: _Text) -> Any:
    """Take the next element, reading on for as long as it is not complete."""
    if text.buffer[:1] != "{":
        raise SnapshotError(f"{text.place}: an object is expected")
    while True:
        try:
            value, end = _scan(text.buffer)
        except (ValueError, RecursionError) as error:
            if text.ended or len(text.buffer) > LINE_BYTES_MAX or isinstance(error, RecursionError):
                raise SnapshotError(f"{text.place}: no JSON object: {error}") from None
            text.more()
            continue
        text.take(end)
        return value


def _value(value: Any, place: Place) -> dict[str, Any] | Fault:
    try:
        document = from_json(value)
    except ArgumentError as error:
        return Fault(place, error.message)
    return document if type(document) is dict else Fault(place, "a document is a JSON object")

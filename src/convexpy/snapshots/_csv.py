"""CSV: a header, then one document a row. Quoting, line ends, separators and encodings as spreadsheets write them."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, TextIO

from convexpy.errors import ArgumentError
from convexpy.errors.texts import encoding_of
from convexpy.snapshots._columns import Cell, CsvTypes, Guess, as_text, type_by_name
from convexpy.snapshots._faults import Fault, Place, SnapshotError
from convexpy.snapshots._json import Row
from convexpy.values import UNSET, from_json

DELIMITERS = (",", ";", "\t", "|")
"""The first of these in the header separates the cells."""
SYSTEM_FIELDS = ("_id", "_creationTime")
_SEP_LINE = re.compile(r"\"?sep=(.)\"?\r?\n?")
"""What Excel reads and writes before the header."""

CELL_CHARACTERS_MAX = 2 * 1024 * 1024
COLUMNS_MAX = 1024


class _Rows:
    """The rows of a file; whatever the parser dislikes has a place. What spreadsheets add around a table is left out."""

    def __init__(self, stream: BinaryIO, file: str, delimiter: str | None) -> None:
        self._file = file
        csv.field_size_limit(CELL_CHARACTERS_MAX)
        self._stream = stream
        start = stream.read(4)
        self._encoding = encoding_of(start)
        if not self._encoding.mark and b"\0" in start:
            raise SnapshotError(
                f"{file}:1: a zero byte is not text: the file seems to be UTF-16 without a byte order mark"
            )
        stream.seek(len(self._encoding.mark))
        self._text = io.TextIOWrapper(stream, encoding=self._encoding.codec, newline="")
        self._lines_before = 0
        with self._decoding(0):
            first = self._text.readline(CELL_CHARACTERS_MAX)
        sep_line = _SEP_LINE.fullmatch(first)
        if sep_line is not None:
            self._lines_before = 1
        lines = self._text if sep_line is not None else itertools.chain([first], self._text)
        shown = sep_line[1] if sep_line is not None else _delimiter_of(first)
        self._reader = csv.reader(lines, delimiter=delimiter or shown, strict=True)
        self.header = self._trimmed(next(self._rows(), []))
        if not self.header:
            raise SnapshotError(
                f"{file}:{self._lines_before + 1}: a CSV file begins with the names of its columns"
            )
        self._check_header(self.header)

    def _check_header(self, names: list[str]) -> None:
        line = self._lines_before + 1
        if len(names) > COLUMNS_MAX:
            raise SnapshotError(f"{self._file}:{line}: more than {COLUMNS_MAX} columns")
        for column, name in enumerate(names, 1):
            if not name:
                continue  # a fault only if it has cells
            if name in names[: column - 1]:
                raise SnapshotError(f"{self._file}:{line}:{column}: there are two columns {name!r}")
            try:
                from_json({name: None})
            except ArgumentError as error:
                raise SnapshotError(
                    f"{self._file}:{line}:{column}: the column's name is not a valid field name: {error.message}"
                ) from None
            if name[0] == "_" and name not in SYSTEM_FIELDS:
                raise SnapshotError(
                    f"{self._file}:{line}:{column}: the field {name!r} begins with an underscore, as only system fields do"
                )

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Yield `(line where the row ends, cells)`; rows without any text and cells behind the last column are left out."""
        width = len(self.header)
        for row in self._rows():
            if any(map(str.strip, row)):
                yield (
                    self._lines_before + self._reader.line_num,
                    row if len(row) <= width else self._trimmed(row, width),
                )

    @staticmethod
    def _trimmed(row: list[str], width: int = 0) -> list[str]:
        end = len(row)
        while end > width and not row[end - 1].strip():
            end -= 1
        return row[:end]

    def _rows(self) -> Iterator[list[str]]:
        while True:
            with self._decoding(self._reader.line_num):
                try:
                    row = next(self._reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    line = self._lines_before + self._reader.line_num
                    raise SnapshotError(f"{self._file}:{line}: {error}") from None
            yield row

    @contextlib.contextmanager
    def _decoding(self, line: int) -> Generator[None]:
        try:
            yield
        except UnicodeDecodeError:
            raise self._not_text(line) from None

    def _not_text(self, line: int) -> SnapshotError:
        """Return the error for the first bytes that are no text: the parser is some lines behind the decoder."""
        self._text.detach()
        self._stream.seek(0)
        hint = "save the file as UTF-8"
        if self._encoding.codec != "utf-8":
            return SnapshotError(f"{self._file}:{line + 1}: what follows is not UTF-16", hint=hint)
        for number, content in enumerate(self._stream, 1):
            try:
                content.decode()
            except UnicodeDecodeError as error:
                text = f"byte 0x{content[error.start]:02x} is not UTF-8; the file seems to be in Latin-1 or Windows-1252"
                return SnapshotError(f"{self._file}:{number}: {text}", hint=hint)
        return SnapshotError(f"{self._file}:{line + 1}: not UTF-8", hint=hint)

    def release(self) -> None:
        """Leave the stream open for others."""
        self._text.detach()


def _delimiter_of(header: str) -> str:
    """Return what separates the cells of a header."""
    outside = re.sub(r'"[^"]*"', "", header)
    return next((each for each in DELIMITERS if each in outside), ",")


def guess_types(stream: BinaryIO, file: str, known: CsvTypes, delimiter: str | None = None) -> CsvTypes:
    """Return types of the columns that are not known, from all their cells."""
    rows = _Rows(stream, file, delimiter)
    header = rows.header
    guesses = {column: Guess() for column, name in enumerate(header) if name not in known}
    waiting = dict(guesses)
    for _, row in rows:
        if not waiting:
            break
        for column in list(waiting):
            if column < len(row) and row[column]:
                guess = waiting[column]
                guess.see(row[column])
                if guess.settled:
                    del waiting[column]
    rows.release()
    return {header[column]: guess.cell for column, guess in guesses.items()}


def read_csv(stream: BinaryIO, file: str, types: CsvTypes, delimiter: str | None = None) -> Iterator[Row]:
    """Yield a document for every row; a column of a fault counts cells.

    Raises:
        SnapshotError: no header, one that names no fields, not in its encoding, or quotes that do not end.
    """
    rows = _Rows(stream, file, delimiter)
    names = rows.header
    text = type_by_name("string")
    cells = [types.get(name, text) if name else _nameless for name in names]
    for line, row in rows:
        if len(row) != len(names):
            place = Place(file, line, min(len(row), len(names)) + 1)
            yield line, Fault(place, f"{len(row)} cells, the header has {len(names)}")
            continue
        yield line, _document(names, cells, row, file, line)
    rows.release()


def _nameless(text: str) -> Any:
    if text.strip():
        raise ValueError("the column has no name")
    return UNSET


def _document(
    names: list[str], cells: list[Cell], row: list[str], file: str, line: int
) -> dict[str, Any] | Fault:
    document: dict[str, Any] = {}
    for column, text in enumerate(row):
        try:
            value = cells[column](text)
        except ValueError as error:
            return Fault(Place(file, line, column + 1), f"{names[column]}: {error}")
        if value is not UNSET:
            document[names[column]] = value
    return document


def write_csv(documents: Callable[[], Iterable[Mapping[str, Any]]], out: TextIO) -> int:
    """Write documents, which are asked for twice: first for their columns. Return how many there were.

    What is neither text nor number is written as JSON, and so is text that could be taken for something else.
    """
    names: dict[str, None] = {"_id": None, "_creationTime": None}
    kinds: dict[str, set[bool]] = {}
    for document in documents():
        names |= dict.fromkeys(document)
        for name, value in document.items():
            if value is not None:
                kinds.setdefault(name, set()).add(isinstance(value, str))
    # Where there are strings and others, quotes tell them apart.
    mixed = {name for name, found in kinds.items() if len(found) > 1}
    # With `\n` alone, Python would leave a lone carriage return in a cell unquoted.
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    count = 0
    for document in documents():
        writer.writerow([as_text(document.get(name, UNSET), quoted=name in mixed) for name in names])
        count += 1
    return count

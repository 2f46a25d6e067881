"""CSV: a header, then one document a row. Quoting and line ends as spreadsheets write them; UTF-8."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, TextIO

from convexpy.snapshots._columns import NUMBER, Cell, CsvTypes, type_by_name
from convexpy.snapshots._faults import Fault, Place, SnapshotError
from convexpy.snapshots._json import Row
from convexpy.values import UNSET, encode_export

__all__ = ["guess_numbers", "read_csv", "write_csv"]

CELL_CHARACTERS_MAX = 2 * 1024 * 1024
COLUMNS_MAX = 1024


class _Rows:
    """The rows of a file; whatever the parser dislikes has a place."""

    def __init__(self, stream: BinaryIO, file: str) -> None:
        self._file = file
        csv.field_size_limit(CELL_CHARACTERS_MAX)
        self._text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        self._reader = csv.reader(self._text, strict=True)
        self.header = next(self._rows(), None)
        if not self.header:
            raise SnapshotError(f"{file}:1: a CSV file begins with the names of its columns")
        self._check_header(self.header)

    def _check_header(self, names: list[str]) -> None:
        if len(names) > COLUMNS_MAX:
            raise SnapshotError(f"{self._file}:1: more than {COLUMNS_MAX} columns")
        for column, name in enumerate(names, 1):
            if not name:
                raise SnapshotError(f"{self._file}:1:{column}: the column has no name")
            if name in names[: column - 1]:
                raise SnapshotError(f"{self._file}:1:{column}: there are two columns {name!r}")

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Yield `(line where the row ends, cells)`; rows without any cell are left out."""
        for row in self._rows():
            if row:
                yield self._reader.line_num, row

    def _rows(self) -> Iterator[list[str]]:
        while True:
            try:
                row = next(self._reader)
            except StopIteration:
                return
            except UnicodeDecodeError:
                raise SnapshotError(f"{self._file}:{self._reader.line_num + 1}: not UTF-8") from None
            except csv.Error as error:
                raise SnapshotError(f"{self._file}:{self._reader.line_num}: {error}") from None
            yield row

    def release(self) -> None:
        """Leave the stream open for others."""
        self._text.detach()


def guess_numbers(stream: BinaryIO, file: str, known: CsvTypes) -> CsvTypes:
    """Return types of the columns that are not known: numbers, if every cell that is not empty is one, else text.

    In a column of numbers an empty cell leaves the field out.
    """
    rows = _Rows(stream, file)
    header = rows.header or []
    numbers = {column: 0 for column, name in enumerate(header) if name not in known}
    is_number = NUMBER.fullmatch
    for _, row in rows:
        if not numbers:
            break
        for column in list(numbers):
            cell = row[column] if column < len(row) else ""
            if is_number(cell):
                numbers[column] += 1
            elif cell:
                del numbers[column]
    rows.release()
    number, text = type_by_name("number"), type_by_name("string")
    guessed = {name: text for name in header if name not in known}
    for column, count in numbers.items():
        if count:
            guessed[header[column]] = _unless_empty(number)
    return guessed


def _unless_empty(cell: Cell) -> Cell:
    return lambda text: cell(text) if text else UNSET


def read_csv(stream: BinaryIO, file: str, types: CsvTypes) -> Iterator[Row]:
    """Yield a document for every row; a column of a fault counts cells.

    Raises:
        SnapshotError: no header, not UTF-8, or quotes that do not end.
    """
    rows = _Rows(stream, file)
    names = rows.header or []
    text = type_by_name("string")
    cells = [types.get(name, text) for name in names]
    for line, row in rows:
        if len(row) != len(names):
            place = Place(file, line, min(len(row), len(names)) + 1)
            yield line, Fault(place, f"{len(row)} cells, the header has {len(names)}")
            continue
        yield line, _document(names, cells, row, file, line)
    rows.release()


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

    What is neither text nor number is written as JSON.
    """
    names: dict[str, None] = {"_id": None, "_creationTime": None}
    for document in documents():
        names |= dict.fromkeys(document)
    # With `\n` alone, Python would leave a lone carriage return in a cell unquoted.
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    count = 0
    for document in documents():
        writer.writerow([_text(document.get(name, UNSET)) for name in names])
        count += 1
    return count


def _text(value: Any) -> str:
    if value is UNSET:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value) if isinstance(value, float) else str(int(value))
    return encode_export(value).decode()

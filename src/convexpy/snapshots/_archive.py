"""Reading the zip of a snapshot, which may come from anybody.

Layout, maybe inside of a folder, as people zip again what they have unpacked: `_tables/documents.jsonl` (lines `{"name",
"id"}`: the numbers of the tables), `T/documents.jsonl` and `T/generated_schema.jsonl` for each table,
`_storage/documents.jsonl` and `_storage/{id}{.suffix}` for stored files.
Invariant: every entry has been checked before the first is opened; what an entry gives is never more than it declares.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from convexpy.snapshots._faults import Fault, SnapshotError
from convexpy.snapshots._json import read_json_lines
from convexpy.snapshots._old_exports import OldTable

TABLES = "_tables"
STORAGE = "_storage"
DOCUMENTS = "documents.jsonl"
SHAPE_BYTES_MAX = 16 * 1024 * 1024
IGNORED_TABLES = ("_scheduled_functions", "_convexpy")
READ_BYTES = 256 * 1024
TABLE_NUMBER_MAX = 1 << 24
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_KNOWN_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UTF8_FLAG, _ENCRYPTED_FLAG = 0x800, 0x1
_JUNK = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)")
"""What the file managers of macOS and Windows put beside files; never the name of a table."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\:]")


class ArchiveLimits(NamedTuple):
    """What an archive may be. Ratios of small entries are not looked at: there a few bytes are nothing."""

    entries: int = 200_000
    total_bytes: int = 256 * 2**30
    ratio: int = 400
    ratio_from_bytes: int = 8 * 2**20


class ArchivedTable(NamedTuple):
    """A table of an archive; `uniform` says that integer literals are int64, `old` reads what an older export wrote."""

    name: str
    path: str
    uniform: bool
    size: int
    old: OldTable | None = None


class ArchivedFile(NamedTuple):
    """A stored file of an archive: its bytes, and the line of `_storage/documents.jsonl` that tells of it."""

    document: dict[str, Any]
    path: str
    size: int


class Archive:
    """An opened, checked archive. Iterate tables, then read one at a time.

    Raises:
        SnapshotError: no zip, damaged, or made to harm (`SnapshotRefused`).
    """

    def __init__(self, path: Path, limits: ArchiveLimits | None = None) -> None:
        with _as_snapshot_errors(path.name):
            self._zip = zipfile.ZipFile(path)
        try:
            infos = self._zip.infolist()
            _check(infos, path.stat().st_size, limits or ArchiveLimits())
            self._entries = _without_folder({info.filename: info for info in infos if not info.is_dir()})
            self.tables: list[ArchivedTable] = self._find_tables()
            self.numbers: dict[str, int] = self._read_numbers()
            if not self.tables and not any(
                path.startswith(f"{STORAGE}/") and not path.endswith(".jsonl") for path in self._entries
            ):
                raise _without_tables()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    @contextlib.contextmanager
    def open(self, path: str) -> Generator[BinaryIO]:
        """Open an entry; reading past what it declares, or to a wrong checksum, is a SnapshotError."""
        info = self._entries[path]
        with _as_snapshot_errors(path), self._zip.open(info) as entry:
            yield cast(BinaryIO, io.BufferedReader(cast(Any, _Exact(cast(BinaryIO, entry), info))))

    def has(self, path: str) -> bool:
        """Say whether there is an entry of this name."""
        return path in self._entries

    def _find_tables(self) -> list[ArchivedTable]:
        found: list[ArchivedTable] = []
        for path, info in self._entries.items():
            name, slash, rest = path.partition("/")
            if rest != DOCUMENTS or not slash or name in (TABLES, STORAGE, *IGNORED_TABLES):
                continue
            if name.startswith("_") or not _NAME.fullmatch(name):
                raise SnapshotError(f"{path}: {name!r} is not a valid table name")
            found.append(ArchivedTable(name, path, self._is_uniform(name), info.file_size, self._old(name)))
        return sorted(found, key=lambda table: table.name)

    def check_complete(self) -> None:
        """Refuse an archive in whose place everything else goes: a table that was not recognised would be emptied.

        Raises:
            SnapshotError: it has no table, or lacks one that it names.
        """
        missing = sorted(self.numbers.keys() - {table.name for table in self.tables})
        if missing:
            raise SnapshotError(
                f"{TABLES}/{DOCUMENTS} names the table {missing[0]!r}, but {missing[0]}/{DOCUMENTS} is not in the zip",
                hint="the zip is not complete: export again, or replace only its own tables with --replace",
            )
        if not self.tables:
            raise _without_tables()

    def _is_uniform(self, table: str) -> bool:
        path = f"{table}/generated_schema.jsonl"
        if path not in self._entries:
            return False
        with self.open(path) as stream:
            return stream.read(64).strip() == b'"uniform"'

    def _old(self, table: str) -> OldTable | None:
        """Return how the documents of an older export are read; None if they are as they are now."""
        path = f"{table}/generated_schema.jsonl"
        if path not in self._entries:
            return None
        with self.open(path) as stream:
            try:
                shape = json.loads(stream.readline(SHAPE_BYTES_MAX))
            except (ValueError, RecursionError):
                shape = None
            if not isinstance(shape, str) or shape == "uniform":
                return None
            return OldTable(shape, stream, path)

    def _read_numbers(self) -> dict[str, int]:
        path = f"{TABLES}/{DOCUMENTS}"
        numbers: dict[str, int] = {}
        for place, document in self._documents(path):
            name, number = document.get("name"), document.get("id")
            if not isinstance(name, str) or not isinstance(number, int) or not 0 < number < TABLE_NUMBER_MAX:
                raise SnapshotError(f"{path}:{place}: a line has the name of a table and its number as id")
            if name in numbers or (number in numbers.values() and not name.startswith("_")):
                raise SnapshotError(f"{path}:{place}: the table {name!r} or its number is there twice")
            numbers[name] = number
        return {name: number for name, number in numbers.items() if not name.startswith("_")}

    def _documents(self, path: str, *, uniform: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
        if path not in self._entries:
            return
        with self.open(path) as stream:
            for line, document in read_json_lines(stream, path, uniform=uniform):
                if isinstance(document, Fault):
                    raise SnapshotError(str(document))
                yield line, document

    def files(self) -> Iterator[ArchivedFile]:
        """Yield the stored files in the order of `_storage/documents.jsonl`; one without bytes is a SnapshotError."""
        by_id: dict[str, str] = {}
        for path in self._entries:
            folder, _, name = path.partition("/")
            if folder == STORAGE and "/" not in name and not name.endswith(".jsonl"):
                by_id[name.partition(".")[0]] = path
        documents = f"{STORAGE}/{DOCUMENTS}"
        seen: set[str] = set()
        for line, document in self._documents(documents, uniform=self._is_uniform(STORAGE)):
            id = document.get("_id")
            if not isinstance(id, str) or id in seen or id not in by_id:
                raise SnapshotError(f"{documents}:{line}: no file, or a second one, for the id {id!r}")
            seen.add(id)
            yield ArchivedFile(document, by_id[id], self._entries[by_id[id]].file_size)

    @property
    def has_files(self) -> bool:
        """Whether stored files are part of the archive, if only none."""
        return f"{STORAGE}/{DOCUMENTS}" in self._entries


def _without_tables() -> SnapshotError:
    return SnapshotError(
        "no table was found in the zip",
        hint=f"it should have TABLE/{DOCUMENTS} for each table, as `convexpy export` writes it",
    )


def _without_folder(entries: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the entries by their paths inside of the snapshot, which may itself be in a folder of the zip.

    What operating systems add beside it is left out.
    """
    entries = {path: info for path, info in entries.items() if not _JUNK.search(path)}
    roots: dict[str, str] = {}
    for path in entries:
        folder, _, name = path.rpartition("/")
        if name == DOCUMENTS and folder:
            root = folder.rpartition("/")[0]
            if "_components" in root.split("/"):
                raise SnapshotError(f"{path}: components are not supported", hint="export without components")
            roots.setdefault(root, path)
    if len(roots) > 1:
        first, second = sorted(roots.values())[:2]
        raise SnapshotError(
            f"there seem to be several snapshots in the zip: {first} and {second} are in different folders",
            hint="zip one of them alone",
        )
    root = next(iter(roots), "")
    if not root:
        return entries
    return {
        path.removeprefix(f"{root}/"): info for path, info in entries.items() if path.startswith(f"{root}/")
    }


class _Exact(io.RawIOBase):
    """An entry that must have exactly the size that it declares."""

    def __init__(self, entry: BinaryIO, info: zipfile.ZipInfo) -> None:
        self._entry = entry
        self._left = info.file_size
        self._name = info.filename

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _as_snapshot_errors(self._name):
            data = self._entry.read(min(len(buffer), READ_BYTES))
        self._left -= len(data)
        if self._left < 0 or (not data and self._left):
            raise SnapshotError(
                f"{self._name} does not have the size that it declares", code="SnapshotRefused"
            )
        buffer[: len(data)] = data
        return len(data)


@contextlib.contextmanager
def _as_snapshot_errors(name: str) -> Generator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise SnapshotError(f"{name}: not a zip that can be read: {error}") from None
    except (ValueError, RuntimeError, OverflowError, UnicodeError) as error:
        raise SnapshotError(f"{name}: not a zip that can be read: {error}") from None


def _check(infos: list[zipfile.ZipInfo], file_size: int, limits: ArchiveLimits) -> None:
    """Refuse what no honest tool makes, entry by entry and as a whole."""
    if len(infos) > limits.entries:
        raise _refused(f"more than {limits.entries} entries")
    names: set[str] = set()
    total = 0
    for info in infos:
        problem = _problem(info, limits)
        if problem is None and info.filename in names:
            problem = "is there twice"
        if problem is not None:
            raise _refused(f"{info.filename[:200]!r} {problem}")
        names.add(info.filename)
        total += info.file_size
    if total > limits.total_bytes:
        raise _refused(f"unpacked it has more than {limits.total_bytes} bytes")
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise _refused(f"{info.filename[:200]!r} shares its bytes with another entry")
        end = info.header_offset + info.compress_size
    if end > file_size:
        raise _refused("its entries are larger than the file")


def _problem(info: zipfile.ZipInfo, limits: ArchiveLimits) -> str | None:
    name = info.filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    parts = name.removesuffix("/").split("/")
    problem = None
    if (
        name.startswith("/")
        or _CONTROL.search(info.orig_filename)
        or any(p in ("", ".", "..") for p in parts)
    ):
        problem = "is no plain path inside of the archive"
    elif not info.flag_bits & _UTF8_FLAG and not name.isascii():
        problem = "has a name that is not UTF-8"
    elif len(parts) > 8 or len(name) > 1024:
        problem = "is too deep, or its name too long"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "is a link or a special file"
    elif info.flag_bits & _ENCRYPTED_FLAG:
        problem = "is encrypted"
    elif info.compress_type not in _KNOWN_COMPRESSIONS:
        problem = f"is compressed in an unknown way ({info.compress_type})"
    elif info.file_size > limits.ratio_from_bytes and info.file_size > limits.ratio * info.compress_size:
        problem = f"would become more than {limits.ratio} times as large"
    return problem


def _refused(text: str) -> SnapshotError:
    return SnapshotError(f"the zip is refused: {text}", code="SnapshotRefused")

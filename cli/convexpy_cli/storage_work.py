"""The work of `convexpy storage`: transfers in pieces, with a bar where a person looks."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from convexpy.client import FileClient, FileInfo, Unreachable
from convexpy_cli import failure
from convexpy_cli.at_once import each_at_once
from convexpy_cli.readable import size_text
from convexpy_cli.transfer_bar import TransferBar, transfer_bar

if TYPE_CHECKING:
    from convexpy.client import AdminClient
    from convexpy_cli.invocation import Invocation

AT_ONCE = 4
PIECE_BYTES = 256 * 1024
STDIN = "-"


def missing(id: str) -> failure.Failure:
    """Return the error for an id that names no file."""
    return failure.Failure("StorageIdNotFound", f"there is no file {id}", failure.FAILED)


def listed(client: AdminClient, limit: int, sort: str, type_: str | None) -> list[FileInfo]:
    """Return the files to show."""
    found: Iterator[FileInfo] = FileClient(client).list()
    if type_ is not None:
        found = (file for file in found if fnmatchcase(file.content_type or "", type_))
    if sort == "size":
        found = iter(sorted(found, key=lambda file: -file.size))
    return list(islice(found, limit) if limit else found)


def _moment(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def cells(file: FileInfo) -> list[str]:
    """Return a file's line of the list."""
    return [file.id, size_text(file.size), file.content_type or "-", _moment(file.created_at)]


def described(file: FileInfo) -> str:
    """Return what is known of a file, a line each."""
    size = f"{size_text(file.size)} ({file.size:,} bytes)" if file.size >= 1024 else f"{file.size} bytes"
    lines = [("id", file.id), ("size", size), ("type", file.content_type or "-"), ("sha256", file.sha256)]
    return "\n".join(f"{name:<8} {text}" for name, text in [*lines, ("created", _moment(file.created_at))])


# Sending


def check_readable(files: Sequence[str]) -> None:
    """Refuse, before anything is sent, what can't be read."""
    if files.count(STDIN) > 1:
        raise failure.usage("- stands for standard input, once")
    for name in files:
        if name != STDIN and not (Path(name).is_file() and os.access(name, os.R_OK)):
            raise failure.Failure("FileNotReadable", f"{name} is no file that can be read", failure.FAILED)


def put(run: Invocation, client: AdminClient, files: Sequence[str], type_: str | None) -> list[FileInfo]:
    """Store files, several at once; return them in their order."""
    sizes = [None if name == STDIN else Path(name).stat().st_size for name in files]
    known = [size for size in sizes if size is not None]
    total = sum(known) if len(known) == len(sizes) else None

    with transfer_bar(run.settings, "storing", total) as bar:

        def put_one(place: int) -> FileInfo:
            return _put_one(FileClient(client).clone(), files[place], sizes[place], type_, bar)

        if len(files) == 1:
            return [put_one(0)]
        # Standard input is read in the main thread: one that waits for it could not be left behind.
        named = [place for place, name in enumerate(files) if name != STDIN]
        stored = dict(zip(named, each_at_once(put_one, named, AT_ONCE), strict=True))
        return [stored.get(place) or put_one(place) for place in range(len(files))]


def _put_one(
    client: FileClient, name: str, size: int | None, type_: str | None, bar: TransferBar
) -> FileInfo:
    content_type = type_ or (None if name == STDIN else mimetypes.guess_type(name)[0])
    try:
        if name == STDIN:
            return client.upload(
                _pieces(sys.stdin.buffer), size=None, content_type=content_type, sent=bar.add
            )
        with Path(name).open("rb") as file:
            return client.upload(_pieces(file), size=size, content_type=content_type, sent=bar.add)
    finally:
        client.close()


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


# Fetching


def get(run: Invocation, client: AdminClient, id: str, output: str | None) -> Path | None:
    """Fetch a file; return where it is, None if it went to stdout."""
    if output == STDIN and sys.stdout.isatty():
        raise failure.usage("a file's bytes do not go to a terminal", "-o FILE")
    files = FileClient(client)
    found = files.info(id)
    if found is None:
        raise missing(id)
    if output == STDIN:
        with transfer_bar(run.settings, "fetching", found.size) as bar:
            _fetch(files, found, sys.stdout.buffer, hashlib.sha256(), 0, bar)
        sys.stdout.buffer.flush()
        return None
    target = Path(output) if output is not None else Path(id + _suffix(found))
    if output is None and target.exists():
        raise failure.Failure("FileExists", f"{target} is there already", failure.REFUSED, hint="-o FILE")
    _fetch_into(run, files, found, target)
    return target


def _suffix(file: FileInfo) -> str:
    kind = (file.content_type or "").partition(";")[0].strip()
    return mimetypes.guess_extension(kind) or ""


def _fetch_into(run: Invocation, files: FileClient, found: FileInfo, target: Path) -> None:
    """Write next to the target, and rename when all is there and right."""
    part = target.with_name(target.name + ".part")
    digest = hashlib.sha256()
    with part.open("ab+") as file:
        file.seek(0)
        start = 0
        for piece in _pieces(file):
            digest.update(piece)
            start += len(piece)
        if start > found.size:
            file.truncate(0)
            digest, start = hashlib.sha256(), 0
        with transfer_bar(run.settings, "fetching", found.size) as bar:
            bar.add(start)
            try:
                if start < found.size:
                    _fetch(files, found, file, digest, start, bar)
                elif b64encode(digest.digest()).decode() != found.sha256:
                    raise _damaged(found)
            except failure.Failure:
                file.truncate(0)  # it is of something else: to go on with it would never end well
                raise
    part.replace(target)


def _fetch(
    files: FileClient, found: FileInfo, out: BinaryIO, digest: hashlib._Hash, start: int, bar: TransferBar
) -> None:
    with files.download(found.id, start=start) as pieces:
        for piece in pieces:
            digest.update(piece)
            out.write(piece)
            bar.add(len(piece))
            start += len(piece)
    if start < found.size:
        raise Unreachable(f"the transfer broke off after {start} of {found.size} bytes", retry_on="backoff")
    if b64encode(digest.digest()).decode() != found.sha256:
        raise _damaged(found)


def _damaged(found: FileInfo) -> failure.Failure:
    return failure.Failure("Sha256Mismatch", f"what arrived is not the file {found.id}", failure.FAILED)

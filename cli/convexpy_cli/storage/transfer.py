"""The work of `convexpy storage`: transfers in pieces, with a bar where a person looks."""

from __future__ import annotations

import glob
import hashlib
import mimetypes
import os
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from convexpy.client import AdminClient, DeploymentError, FileClient, FileInfo, Unreachable
from convexpy.printable import counted
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.output.progress import Bytes, progress
from convexpy_cli.output.units import size_text
from convexpy_cli.storage import references
from convexpy_cli.storage.at_once import each_at_once

AT_ONCE = 4
PIECE_BYTES = 256 * 1024
STDIN = "-"
SHOWN_MAX = 20


def missing(id: str) -> errors.Failure:
    """Return the error for an id that names no file."""
    return errors.Failure("StorageIdNotFound", f"no file {id}")


def listed(
    ctx: Context, client: AdminClient, *, unreferenced: bool, limit: int, sort: str, type_: str | None
) -> list[FileInfo]:
    """Return the files of a type, in the order asked for, at most `limit` (0: all).

    With `unreferenced`, only those that no document points to; says what it took to know.
    """
    found: Iterable[FileInfo] = FileClient(client).list()
    if unreferenced:
        found = list(found)
        scan = references.scan(client, {file.id for file in found})
        ctx.output.note(scan.cost())
        found = (file for file in found if file.id not in scan.references)
    if type_ is not None:
        found = (file for file in found if fnmatchcase(file.content_type or "", type_))
    if sort == "size":
        found = sorted(found, key=lambda file: -file.size)
    return list(islice(found, limit or None))


def _moment(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def cells(file: FileInfo) -> list[str]:
    """Return a file's line of the list."""
    return [file.id, size_text(file.size), file.content_type or "-", _moment(file.created_at)]


def fields(file: FileInfo) -> dict[str, str]:
    """Return a file in full, for people."""
    size = f"{size_text(file.size)} ({file.size:,} bytes)" if file.size >= 1024 else f"{file.size} bytes"
    return {
        "id": file.id,
        "size": size,
        "type": file.content_type or "-",
        "sha256": file.sha256,
        "created": _moment(file.created_at),
    }


# Sending


def files_of(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Return (path, name) of every file that is meant: folders with all that is in them, patterns with what fits.

    A file in a folder is named by its path from there. Nothing is sent if one of them can't be read.
    """
    if arguments.count(STDIN) > 1:
        raise errors.usage("- (stdin) can be used only once")
    found: list[tuple[str, str]] = []
    for argument in arguments:
        path = Path(argument)
        if argument == STDIN:
            found.append((STDIN, STDIN))
        elif path.is_dir():
            found += [(str(file), file.relative_to(path).as_posix()) for file in _inside(path)]
        elif not path.exists() and glob.has_magic(argument):
            found += [(str(file), file.as_posix()) for file in _matching(argument)]
        else:
            found.append((argument, path.name))
    for name, _ in found:
        if name != STDIN and not (Path(name).is_file() and os.access(name, os.R_OK)):
            raise _unreadable(f"cannot read {name}")
    return found


def _inside(folder: Path) -> list[Path]:
    """Return the files in a folder and those below it; links to folders are not followed."""
    files = sorted(Path(top, name) for top, _, names in os.walk(folder) for name in names)
    if not files:
        raise _unreadable(f"{folder} contains no files")
    return files


def _matching(pattern: str) -> list[Path]:
    files = sorted(Path(name) for name in glob.glob(pattern, recursive=True) if Path(name).is_file())  # noqa: PTH207 - absolute patterns, too
    if not files:
        raise _unreadable(f"no file matches {pattern}")
    return files


def _unreadable(message: str) -> errors.Failure:
    return errors.Failure("FileNotReadable", message)


def put(
    ctx: Context, client: AdminClient, files: Sequence[tuple[str, str]], type_: str | None
) -> list[dict[str, Any]]:
    """Store files, several at once; return what is known of them, in their order.

    Raises:
        DeploymentError: one was refused or broke off. Those stored before stay, and are named.
    """
    sizes = [None if path == STDIN else Path(path).stat().st_size for path, _ in files]
    known = [size for size in sizes if size is not None]
    total = sum(known) if len(known) == len(sizes) else None

    stored: dict[int, dict[str, Any]] = {}

    with progress(ctx.output, ctx.settings, lines=False) as shown:
        bar = Bytes(shown, "storing", total)

        def put_one(place: int) -> None:
            path, name = files[place]
            piped = path == STDIN
            kind = type_ or (None if piped else mimetypes.guess_type(path)[0])
            with (
                closing(FileClient(client).clone()) as own,
                nullcontext(sys.stdin.buffer) if piped else Path(path).open("rb") as file,
            ):
                info = own.upload(_pieces(file), size=sizes[place], content_type=kind, sent=bar.add)
            stored[place] = {**info.to_json(), "name": None if piped else name}

        try:
            # Standard input is read in the main thread: one that waits for it could not be left behind.
            named = [place for place, (path, _) in enumerate(files) if path != STDIN]
            if len(files) > 1:
                each_at_once(put_one, named, AT_ONCE)
            for place in range(len(files)):
                if place not in stored:
                    put_one(place)
        except DeploymentError as error:
            _name_stored(ctx, [stored[place] for place in sorted(stored)], len(files), error)
            raise
    return [stored[place] for place in range(len(files))]


def stored_text(stored: Sequence[Mapping[str, Any]]) -> str:
    """Return what was stored, for a person: `stored report.pdf · 1.2 MiB · application/pdf · kg2…`."""
    size = size_text(sum(int(file["sizeBytes"]) for file in stored))
    if len(stored) != 1:
        return f"stored {len(stored)} files · {size}"
    file = stored[0]
    parts = (file["name"] or "standard input", size, file["contentType"], file["id"])
    return f"stored {' · '.join(part for part in parts if part)}"


def _name_stored(ctx: Context, stored: list[dict[str, Any]], count: int, error: DeploymentError) -> None:
    """Say of a failure what came before it. What was under way beside it may have been stored, too."""
    if count == 1:
        return
    for file in stored:
        ctx.output.note(f"stored  {file['id']}  {file['name']}")
    error.hint = error.hint or (
        f"{len(stored)} of {count} stored: send the others again, from their start (an upload can't be resumed)"
    )
    error.data = error.data or {"stored": stored}


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


# Deleting


def check_references(ctx: Context, client: AdminClient, ids: list[str]) -> None:
    """Name what points to files that are to be deleted; then it has to be agreed to."""
    try:
        found = references.scan(client, set(ids))
    except DeploymentError as error:
        if error.code != "KeyKindForbidden":
            raise
        ctx.output.note("this key may not read documents, so references to the file are unknown")
        return
    ctx.output.detail(found.cost())
    if not found.references:
        return
    pointing = [each for id in ids for each in found.references.get(id, ())]
    for each in pointing[:SHOWN_MAX]:
        ctx.output.note(f"in use by {each}")
    if len(pointing) > SHOWN_MAX:
        ctx.output.note(f"… and {len(pointing) - SHOWN_MAX:,} more")
    count = len(found.references)
    what = f"{count} of these files" if len(ids) > 1 else "the file"
    question = (
        f"{counted(len(pointing), 'document')} still {'points' if len(pointing) == 1 else 'point'} to {what}"
    )
    if "data-delete" in ctx.settings.allow or ctx.prompts.agree(f"{question}. Delete?"):
        return
    raise errors.consent(
        question,
        "--allow=data-delete, or remove the ids from the documents first",
        data={"references": [vars(each) for each in pointing[:SHOWN_MAX]]},
    )


# Fetching


def get(ctx: Context, client: AdminClient, id: str, output: str | None) -> Path | None:
    """Fetch a file; return where it is, None if it went to stdout."""
    if output == STDIN and sys.stdout.isatty():
        raise errors.usage("refusing to write file contents to a terminal", "-o FILE")
    files = FileClient(client)
    found = files.info(id)
    if found is None:
        raise missing(id)
    if output == STDIN:
        with progress(ctx.output, ctx.settings, lines=False) as shown:
            bar = Bytes(shown, "fetching", found.size)
            _fetch(files, found, sys.stdout.buffer, hashlib.sha256(), 0, bar)
        sys.stdout.buffer.flush()
        return None
    target = Path(output) if output is not None else Path(id + _suffix(found))
    if output is None and target.exists():
        raise errors.Failure("FileExists", f"{target} already exists", hint="-o FILE")
    _fetch_into(ctx, files, found, target)
    return target


def _suffix(file: FileInfo) -> str:
    kind = (file.content_type or "").partition(";")[0].strip()
    return mimetypes.guess_extension(kind) or ""


def _fetch_into(ctx: Context, files: FileClient, found: FileInfo, target: Path) -> None:
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
        with progress(ctx.output, ctx.settings, lines=False) as shown:
            bar = Bytes(shown, "fetching", found.size)
            bar.add(start)
            try:
                if start < found.size:
                    _fetch(files, found, file, digest, start, bar)
                elif b64encode(digest.digest()).decode() != found.sha256:
                    raise _damaged(found)
            except errors.Failure:
                file.truncate(0)  # it is of something else: to go on with it would never end well
                raise
    part.replace(target)


def _fetch(
    files: FileClient, found: FileInfo, out: BinaryIO, digest: hashlib._Hash, start: int, bar: Bytes
) -> None:
    with files.download(found.id, start=start) as pieces:
        for piece in pieces:
            digest.update(piece)
            out.write(piece)
            bar.add(len(piece))
            start += len(piece)
    if start < found.size:
        raise Unreachable(
            f"the transfer was interrupted after {start} of {found.size} bytes", retry_on="backoff"
        )
    if b64encode(digest.digest()).decode() != found.sha256:
        raise _damaged(found)


def _damaged(found: FileInfo) -> errors.Failure:
    return errors.Failure("Sha256Mismatch", f"the downloaded file does not match the checksum of {found.id}")

"""The work of `convexpy export` and of backups: wait for the server's zip, fetch it, turn it into other formats."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from convexpy.client import DeploymentError, TransferClient, Unreachable
from convexpy.printable import counted
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.output.progress import progress
from convexpy_cli.output.units import size_text

STDOUT = "-"
POLL_FIRST_S, POLL_MAX_S = 0.05, 0.5
TRIES = 6
PIECE_BYTES = 1024 * 1024


def check(path: str | None, format: str, tables: Sequence[str] | None, *, files: bool) -> None:
    """Refuse what can't be done before anything is asked of a server."""
    if files and format != "zip":
        raise errors.usage("stored files can be exported as zip only", "--format zip")
    if path == STDOUT:
        if format != "zip" and (tables is None or len(tables) != 1):
            raise errors.usage("stdout can hold one table only", "--tables NAME")
        if format == "zip" and sys.stdout.isatty():
            raise errors.usage("refusing to write a zip to a terminal", "--path FILE")
    elif path is not None and Path(path).exists() and not Path(path).is_dir():
        raise exists(Path(path))


def exists(path: Path) -> errors.Failure:
    """Return the error for a file that is in the way: nothing is overwritten."""
    return errors.Failure("FileExists", f"{path} already exists", hint="--path FILE")


def make(
    ctx: Context,
    client: TransferClient,
    *,
    include_storage: bool,
    tables: Sequence[str] | None = None,
    backup: bool = False,
    wait: bool = True,
) -> dict[str, Any]:
    """Have an export made; return it when it is complete.

    Raises:
        DeploymentError: another one is under way (`ExportInProgress`), unless it is waited for.
        Failure: it failed.
    """
    told, id = False, ""
    while not id:
        try:
            id = client.request_export(include_storage=include_storage, tables=tables, backup=backup)
        except DeploymentError as error:
            if error.code != "ExportInProgress" or not wait:
                raise
            if not told:
                ctx.output.note("another export is running; waiting for it")
            told = True
            time.sleep(POLL_MAX_S)
    pause = POLL_FIRST_S
    try:
        with progress(ctx.output, ctx.settings) as shown:
            while True:
                found = client.find_export(id)
                if found is None or found["state"] not in ("requested", "in_progress"):
                    break
                done = float((found.get("progress") or {}).get("documents") or 0)
                shown.show("exporting", done, None, f"{done:,.0f} documents" if done else "")
                time.sleep(pause)
                pause = min(pause * 1.3, POLL_MAX_S)
    except KeyboardInterrupt:
        with suppress(DeploymentError):
            client.cancel_export(id)
        raise
    if found is None or found["state"] != "completed":
        text = "it was canceled" if found is None else found.get("error") or f"it was {found['state']}"
        raise errors.Failure("ExportFailed", f"the export failed: {text}")
    return found


# Fetching


def fetch(ctx: Context, client: TransferClient, found: dict[str, Any], target: Path) -> str:
    """Fetch the zip of an export; return its SHA-256 (hex). It has another name until it is complete.

    A part that an earlier attempt has left is gone on with.
    """
    if target.exists():
        raise exists(target)
    part = target.with_name(f"{target.name}.{found['start_ts']}.part")
    with progress(ctx.output, ctx.settings) as shown, part.open("ab") as out:
        attempt = 0
        size = int(found["size"])
        while out.tell() < size:
            before = out.tell()
            try:
                with client.download(found["_id"], start=before) as download:
                    if download.start != before:
                        out.truncate(0)
                    for piece in download.pieces:
                        out.write(piece)
                        text = f"{size_text(out.tell())} of {size_text(size)}"
                        shown.show("fetching", out.tell(), size, text)
            except Unreachable:
                attempt = 0 if out.tell() > before else attempt + 1
                if attempt >= TRIES:
                    raise
                time.sleep(0.1 * 2**attempt)
    if part.stat().st_size != size:
        part.unlink()
        raise errors.Failure("DownloadDamaged", "the download is damaged")
    digest = digest_of(part)
    # A link fails where a rename would overwrite.
    try:
        os.link(part, target)
    except FileExistsError:
        raise exists(target) from None
    except OSError:
        part.rename(target)
    else:
        part.unlink()
    return digest


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def result_of(found: dict[str, Any], path: str, digest: str | None) -> dict[str, Any]:
    """Return what tools want to know of an export."""
    return {
        "id": found["_id"],
        "path": path,
        "ts": found["start_ts"],
        "bytes": int(found["size"]),
        "sha256": digest,
        "tables": {name: int(count) for name, count in found["tables"].items()},
        "files": int(found.get("files", 0)),
    }


def deliver(
    ctx: Context,
    client: TransferClient,
    found: dict[str, Any],
    path: str | None,
    format: str,
    tables: Sequence[str] | None,
) -> dict[str, Any]:
    """Bring a completed export to where it is wanted; return the result.

    Raises:
        Failure: a table that was asked for does not exist, or something is in the way.
    """
    missing = [name for name in tables or () if name not in found["tables"]]
    if missing:
        raise errors.Failure("TableNotFound", f"no table {missing[0]!r}")
    if format == "zip" and path != STDOUT:
        target = Path(path or ".")
        if target.is_dir():
            target = target / f"snapshot_{found['start_ts']}.zip"
        return result_of(found, str(target), fetch(ctx, client, found, target))
    with tempfile.TemporaryDirectory(prefix="convexpy-export-") as folder:
        archive = Path(folder) / "snapshot.zip"
        digest = fetch(ctx, client, found, archive)
        if format == "zip":
            with archive.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer, PIECE_BYTES)
            sys.stdout.buffer.flush()
            return result_of(found, STDOUT, digest)
        written = _convert(archive, path, format, tables)
    return {**result_of(found, path or ".", None), "paths": written}


def words(result: Mapping[str, Any]) -> str:
    """Return what an export holds and where it is, for a person: `12 documents in 3 tables, 2 files · 1.2 MiB · x.zip`."""
    documents = sum(result["tables"].values())
    tables = counted(len(result["tables"]), "table")
    files = f", {counted(result['files'], 'file')}" if result["files"] else ""
    parts = (
        f"{counted(documents, 'document')} in {tables}{files}",
        size_text(result["bytes"]),
        result["path"],
    )
    return " · ".join(part for part in parts if part)


# Other formats


def _convert(archive: Path, path: str | None, format: str, tables: Sequence[str] | None) -> list[str]:
    """Write each table as a file of its own, or one to where `path` says; return the paths."""
    from convexpy.snapshots import Archive

    with Archive(archive) as opened:
        names = [table.name for table in opened.tables]
        if path == STDOUT:
            _write_table(opened, names[0], format, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return [STDOUT]
        folder = Path(path or ".")
        single = len(names) == 1 and tables is not None and folder.suffix != "" and not folder.is_dir()
        targets = [folder] if single else [folder / f"{name}.{format}" for name in names]
        for target in targets:
            if target.exists():
                raise exists(target)
        for name, target in zip(names, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(target.name + ".part")
            with part.open("wb") as out:
                _write_table(opened, name, format, out)
            part.rename(target)
        return [str(target) for target in targets]


def _write_table(archive: Any, name: str, format: str, out: BinaryIO) -> None:
    from convexpy.snapshots import write_csv
    from convexpy.values import encode_wire

    if format == "jsonl":
        out.writelines(encode_wire(document) + b"\n" for document in documents(archive, name))
        return
    import io

    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    write_csv(lambda: documents(archive, name), text)
    text.flush()
    text.detach()


def documents(archive: Any, name: str) -> Iterator[dict[str, Any]]:
    """Yield the documents of a table of an archive.

    Raises:
        SnapshotError: one can't be read.
    """
    from convexpy.snapshots import Fault, SnapshotError, read_json_lines

    path = f"{name}/documents.jsonl"
    table = next(table for table in archive.tables if table.name == name)
    with archive.open(path) as stream:
        rows: Iterable[tuple[int, Any]] = read_json_lines(stream, path, uniform=table.uniform, old=table.old)
        for _, document in rows:
            if isinstance(document, Fault):
                raise SnapshotError(str(document))
            yield document

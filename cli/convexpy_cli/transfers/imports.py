"""The work of `convexpy import`: parts go up, the server checks, a person agrees, the server writes."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from convexpy.client import DeploymentError, TransferClient, Unreachable
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.output.progress import Bytes, Progress, progress

STDIN = "-"
PART_BYTES = 5 * 1024 * 1024
POLL_FIRST_S, POLL_MAX_S = 0.05, 0.5
TRIES = 4
SUFFIXES = {".zip": "zip", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv"}
OFFICIAL = {"zip": "zip", "jsonl": "jsonLines", "json": "jsonArray", "csv": "csv"}
ENDED = ("completed", "failed", "validated")


@dataclass(frozen=True)
class ImportOrder:
    """What is to be imported, and how."""

    file: str
    format: str
    mode: str
    table: str | None = None
    types: dict[str, str] = field(default_factory=dict[str, str])
    delimiter: str | None = None
    dry_run: bool = False
    resume: str | None = None
    wait: bool = True

    @property
    def name(self) -> str:
        """The file's name, as errors say it."""
        return "stdin" if self.file == STDIN else Path(self.file).name

    def to_json(self) -> dict[str, Any]:
        """Return it as the server takes it."""
        return {
            "format": OFFICIAL[self.format],
            "mode": self.mode,
            "tableName": self.table,
            "types": self.types,
            "delimiter": self.delimiter,
            "dryRun": self.dry_run,
            "fileName": self.name,
        }


def order(
    file: str,
    *,
    table: str | None,
    format: str | None,
    append: bool,
    replace: bool,
    replace_all: bool,
    types: str | None,
    delimiter: str | None = None,
) -> dict[str, Any]:
    """Return the checked parts of an order: `file format mode table types`."""
    chosen = [
        mode
        for mode, wanted in (("append", append), ("replace", replace), ("replaceAll", replace_all))
        if wanted
    ]
    if len(chosen) > 1:
        raise errors.usage("--append, --replace and --replace-all cannot be combined")
    format = format or SUFFIXES.get(Path(file).suffix.lower())
    if format not in OFFICIAL:
        raise errors.usage(
            f"unknown file format: {file}" if format is None else f"--format {format!r} is not valid",
            "--format zip, jsonl, json or csv",
        )
    if format == "zip" and table is not None:
        raise errors.usage("--table cannot be used with a zip", "a zip contains the names of its tables")
    if format != "zip" and table is None:
        raise errors.usage(f"--table is missing for {file}", "--table NAME")
    if types is not None and format != "csv":
        raise errors.usage("--types works with CSV only")
    if delimiter is not None and format != "csv":
        raise errors.usage("--delimiter works with CSV only")
    delimiter = "\t" if delimiter in ("\\t", "tab") else delimiter
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise errors.usage("--delimiter must be one character, or tab", "--delimiter ';'")
    if file != STDIN and not Path(file).is_file():
        raise errors.Failure("FileNotReadable", f"cannot read {file}")
    return {
        "file": file, "format": format, "mode": chosen[0] if chosen else "requireEmpty", "table": table,
        "types": _types(types), "delimiter": delimiter,
    }  # fmt: skip


def _types(text: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (text or "").split(",")):
        name, equals, type_ = part.partition("=")
        if not equals or not name or not type_:
            raise errors.usage(f"--types: {part!r} is not name=type", "--types zip=string,price=number")
        found[name] = type_
    return found


def run_import(ctx: Context, client: TransferClient, order: ImportOrder) -> dict[str, Any]:
    """Import; return `id state tables documents files bytes ms`.

    Raises:
        Failure: rows are wrong (8), consent is missing (9), or it failed.
    """
    started = time.monotonic()
    id = _upload(ctx, client, order)
    found = _checked(ctx, client, id)
    state = found["state"]["state"]
    if state == "waiting_for_confirmation":
        _show_changes(ctx, found)
        _consent(ctx, client, id, found)
        _perform(ctx, client, id)
        if order.wait:
            found = {**found, **_written(ctx, client, id)}
            state = found["state"]["state"]
        else:
            state = "in_progress"
            ctx.output.note(f"the import continues: convexpy import --status {id}")
    if state == "failed":
        raise _failed(ctx, found)
    return summary(found, id, round((time.monotonic() - started) * 1000))


def summary(found: dict[str, Any], id: str, ms: int | None = None) -> dict[str, Any]:
    """Return what tools want to know of an import."""
    tables = [
        {"name": table["name"], "before": int(table["before"]), "after": int(table["after"])}
        for table in found.get("tables", [])
    ]
    state = found["state"]
    written = state.get("num_rows_written")
    return {
        "id": id,
        "state": state["state"],
        "tables": tables,
        "documents": int(written) if written is not None else None,
        "files": None if found.get("files") is None else int(found["files"]),
        "bytes": None if found.get("bytes") is None else int(found["bytes"]),
        **({} if ms is None else {"ms": ms}),
        **({"error": state["error_message"]} if "error_message" in state else {}),
    }


def words(result: dict[str, Any]) -> str:
    """Return a summary in a line."""
    if result["state"] == "validated":
        count = sum(table["after"] for table in result["tables"])
        return f"all rows are valid ({count:,} documents after the import); nothing was written"
    if result["state"] != "completed":
        return f"{result['id']}  {result['state']}" + (f"  {result['error']}" if "error" in result else "")
    changes = ", ".join(f"{t['name']} {t['before']:,} → {t['after']:,}" for t in result["tables"])
    files = f", {result['files']:,} files" if result["files"] else ""
    return f"imported {result['documents']:,} documents{files}" + (f" ({changes})" if changes else "")


# Upload


def _part_bytes() -> int:
    text = os.environ.get("CONVEX_IMPORT_CHUNK_SIZE", "")
    return int(text) if text.isdecimal() and int(text) > 0 else PART_BYTES


def _parts(order: ImportOrder) -> Iterator[bytes]:
    size = _part_bytes()
    if order.file == STDIN:
        yield from _read(sys.stdin.buffer, size)
        return
    with Path(order.file).open("rb") as file:
        yield from _read(file, size)


def _read(file: BinaryIO, size: int) -> Iterator[bytes]:
    first = True
    while (part := file.read(size)) or first:
        yield part
        first = False


def _upload(ctx: Context, client: TransferClient, order: ImportOrder) -> str:
    token = order.resume or client.start_upload()
    try:
        with progress(ctx.output, ctx.settings) as shown:
            return client.finish_upload(token, _sent(client, order, token, shown), order.to_json())
    except (KeyboardInterrupt, Unreachable):
        ctx.output.note(f"the upload is kept for a day: convexpy import {order.file} … --resume {token}")
        raise


def _sent(client: TransferClient, order: ImportOrder, token: str, shown: Progress) -> list[str]:
    """Send the parts that are not there yet; return the tokens of all."""
    there = client.uploaded_parts(token) if order.resume else {}
    total = None if order.file == STDIN else Path(order.file).stat().st_size
    sent, tokens = Bytes(shown, "uploading", total), list[str]()
    for number, part in enumerate(_parts(order), 1):
        digest = hashlib.sha256(part).hexdigest()
        if there.get(number) == digest:
            tokens.append(f"{number}-{digest}")
        else:
            tokens.append(_send(client, token, number, part))
        sent.add(len(part))
    return tokens


def _send(client: TransferClient, token: str, number: int, part: bytes) -> str:
    for attempt in range(1, TRIES):
        try:
            return client.upload_part(token, number, part)
        except Unreachable:
            time.sleep(0.2 * 2**attempt)
    return client.upload_part(token, number, part)


# Watching


def _checked(ctx: Context, client: TransferClient, id: str) -> dict[str, Any]:
    """Wait until the server has read everything. Nobody would confirm an import whose command was interrupted."""
    try:
        with progress(ctx.output, ctx.settings) as shown:
            return _watch(client, id, shown, until=("waiting_for_confirmation",))
    except KeyboardInterrupt:
        client.cancel_import(id)
        ctx.output.note("the import was canceled; nothing was written")
        raise


def _written(ctx: Context, client: TransferClient, id: str) -> dict[str, Any]:
    """Wait until the import has ended."""
    try:
        with progress(ctx.output, ctx.settings) as shown:
            return _watch(client, id, shown)
    except KeyboardInterrupt:
        ctx.output.note(f"the server continues: convexpy import --status {id}, or --cancel {id}")
        raise


def _watch(
    client: TransferClient, id: str, shown: Progress, *, until: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Follow an import to one of these states, or to its end."""
    pause = POLL_FIRST_S
    while True:
        found = client.find_import(id)
        if found is None:
            raise missing(id)
        state = found["state"]["state"]
        if state in ENDED or state in until:
            return found
        _show(shown, found)
        time.sleep(pause)
        pause = min(pause * 1.3, POLL_MAX_S)


def _show(shown: Progress, found: dict[str, Any]) -> None:
    progress = found.get("progress") or {}
    done = float(progress.get("documents") or 0)
    if found["state"]["state"] == "uploaded":
        shown.show("checking", done, None, f"{done:,.0f} documents" if done else "")
    else:
        replaced = sum(float(table["after"]) for table in found.get("tables", []))
        shown.show("writing", done, replaced or None, str(progress.get("text") or ""))


def missing(id: str) -> errors.Failure:
    """Return the error for an id that names no import."""
    return errors.Failure("ImportNotFound", f"no import {id}")


# Consent


def _show_changes(ctx: Context, found: dict[str, Any]) -> None:
    for table in found.get("tables", []):
        ctx.output.note(f"{table['name']}: {int(table['before']):,} → {int(table['after']):,}")


def _consent(ctx: Context, client: TransferClient, id: str, found: dict[str, Any]) -> None:
    if not found["state"].get("require_manual_confirmation"):
        return
    lost = ", ".join(
        f'{_counted(int(table["before"]))} in "{table["name"]}"'
        for table in found["tables"]
        if table["before"]
    )
    message = f"{lost or 'stored files'} would be replaced"
    try:
        ctx.require_consent(f"{message}. Continue?", message, allow="data-replace", yes=False)
    except BaseException:
        client.cancel_import(id)
        raise


def _counted(count: int) -> str:
    return f"{count:,} document{'' if count == 1 else 's'}"


def _perform(ctx: Context, client: TransferClient, id: str) -> None:
    """Confirm; with `--yes`, as soon as an import that is being written has ended."""
    while True:
        try:
            client.perform_import(id)
            return
        except DeploymentError as error:
            if error.code != "JobAlreadyRunning" or not ctx.settings.yes:
                if error.code == "JobAlreadyRunning":
                    client.cancel_import(id)
                raise
            time.sleep(POLL_MAX_S)


def _failed(ctx: Context, found: dict[str, Any]) -> errors.Failure:
    code = str(found.get("code") or "ImportFailed")
    faults = found.get("faults") or []
    for fault in faults:
        place = ":".join(
            str(int(fault[n]) if n != "file" else fault[n]) for n in ("file", "line", "column") if fault[n]
        )
        ctx.output.note(f"{place}: {fault['message']}")
    if faults:
        count = int(found["faultCount"])
        message = f"{count:,} row{'s do' if count > 1 else ' does'} not match the schema; nothing was written"
        hint = f"the first {len(faults)} are above" if count > len(faults) else None
        return errors.Failure(code, message, hint=hint, data={"rows": faults, "count": count})
    hints = {"TableNotEmpty": "--append, or --replace"}
    message = str(found["state"]["error_message"])
    return errors.Failure(code, message, hint=hints.get(code))

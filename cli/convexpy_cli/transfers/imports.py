"""The work of `convexpy import`: parts go up, the server checks, a person agrees, the server writes."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexpy.client import DeploymentError, TransferClient, Unreachable
from convexpy.printable import counted
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


@dataclass(frozen=True, kw_only=True)
class ImportOrder:
    """What is to be imported, and how, as the command line says it."""

    file: str
    table: str | None = None
    file_format: str | None = None
    append: bool = False
    replace: bool = False
    replace_all: bool = False
    types: str | None = None
    delimiter: str | None = None
    dry_run: bool = False
    resume: str | None = None
    no_wait: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as the server takes it.

        Raises:
            Failure: it makes no sense (exit 2), or there is no such file.
        """
        modes = {"append": self.append, "replace": self.replace, "replaceAll": self.replace_all}
        chosen = [mode for mode, wanted in modes.items() if wanted]
        if len(chosen) > 1:
            raise errors.usage("--append, --replace and --replace-all cannot be combined")
        format = self.file_format or SUFFIXES.get(Path(self.file).suffix.lower())
        if format is None:
            raise errors.usage(f"unknown file format: {self.file}", "--format zip, jsonl, json or csv")
        if format == "zip" and self.table is not None:
            raise errors.usage("--table cannot be used with a zip", "a zip contains the names of its tables")
        if format != "zip" and self.table is None:
            raise errors.usage(f"--table is missing for {self.file}", "--table NAME")
        for flag, value in (("types", self.types), ("delimiter", self.delimiter)):
            if value is not None and format != "csv":
                raise errors.usage(f"--{flag} works with CSV only")
        delimiter = "\t" if self.delimiter in ("\\t", "tab") else self.delimiter
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
            raise errors.usage("--delimiter must be one character, or tab", "--delimiter ';'")
        if self.file != STDIN and not Path(self.file).is_file():
            raise errors.Failure("FileNotReadable", f"cannot read {self.file}")
        return {
            "format": OFFICIAL[format],
            "mode": chosen[0] if chosen else "requireEmpty",
            "tableName": self.table,
            "types": _types(self.types),
            "delimiter": delimiter,
            "dryRun": self.dry_run,
            "fileName": "stdin" if self.file == STDIN else Path(self.file).name,
        }


def _types(text: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (text or "").split(",")):
        name, equals, type_ = part.partition("=")
        if not equals or not name or not type_:
            raise errors.usage(f"--types: {part!r} is not name=type", "--types zip=string,price=number")
        found[name] = type_
    return found


def run_import(
    ctx: Context, client: TransferClient, order: ImportOrder, wanted: dict[str, Any]
) -> dict[str, Any]:
    """Import; `wanted` is the order in JSON. Return `id state tables documents files bytes ms`.

    Raises:
        Failure: rows are wrong (8), consent is missing (9), or it failed.
    """
    started = time.monotonic()
    id = _upload(ctx, client, order, wanted)
    found = _watch(ctx, client, id, ("waiting_for_confirmation",))
    state = found["state"]["state"]
    if state == "waiting_for_confirmation":
        for table in found.get("tables", []):
            ctx.output.note(f"{table['name']}: {int(table['before']):,} → {int(table['after']):,}")
        _consent(ctx, client, id, found)
        _perform(ctx, client, id)
        if order.no_wait:
            state = "in_progress"
            ctx.output.note(f"the import continues: convexpy import --status {id}")
        else:
            found = {**found, **_watch(ctx, client, id, ())}
            state = found["state"]["state"]
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
        return f"all rows are valid ({counted(count, 'document')} after the import); nothing was written"
    if result["state"] != "completed":
        return f"{result['id']}  {result['state']}" + (f"  {result['error']}" if "error" in result else "")
    changes = ", ".join(f"{t['name']} {t['before']:,} → {t['after']:,}" for t in result["tables"])
    files = f", {counted(result['files'], 'file')}" if result["files"] else ""
    return f"imported {counted(result['documents'], 'document')}{files}" + (
        f" ({changes})" if changes else ""
    )


# Upload


def _parts(order: ImportOrder) -> Iterator[bytes]:
    text = os.environ.get("CONVEX_IMPORT_CHUNK_SIZE", "")
    size = int(text) if text.isdecimal() and int(text) > 0 else PART_BYTES
    with nullcontext(sys.stdin.buffer) if order.file == STDIN else Path(order.file).open("rb") as file:
        yield file.read(size)  # an empty file has one part, too
        while part := file.read(size):
            yield part


def _upload(ctx: Context, client: TransferClient, order: ImportOrder, wanted: dict[str, Any]) -> str:
    token = order.resume or client.start_upload()
    try:
        with progress(ctx.output, ctx.settings) as shown:
            return client.finish_upload(token, _sent(client, order, token, shown), wanted)
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


def _watch(ctx: Context, client: TransferClient, id: str, until: tuple[str, ...]) -> dict[str, Any]:
    """Follow an import to one of these states, or to its end."""
    pause = POLL_FIRST_S
    try:
        with progress(ctx.output, ctx.settings) as shown:
            while True:
                found = client.find_import(id)
                if found is None:
                    raise missing(id)
                if found["state"]["state"] in (*ENDED, *until):
                    return found
                _show(shown, found)
                time.sleep(pause)
                pause = min(pause * 1.3, POLL_MAX_S)
    except KeyboardInterrupt:
        if until:
            # Nobody would confirm an import whose command was interrupted.
            client.cancel_import(id)
            ctx.output.note("the import was canceled; nothing was written")
        else:
            ctx.output.note(f"the server continues: convexpy import --status {id}, or --cancel {id}")
        raise


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


def _consent(ctx: Context, client: TransferClient, id: str, found: dict[str, Any]) -> None:
    if not found["state"].get("require_manual_confirmation"):
        return
    counts = {table["name"]: int(table["before"]) for table in found["tables"] if table["before"]}
    lost = ", ".join(f'{counted(count, "document")} in "{name}"' for name, count in counts.items())
    message = f"{lost or 'stored files'} would be replaced"
    try:
        ctx.require_consent(f"{message}. Continue?", message, allow="data-replace", yes=False)
    except BaseException:
        client.cancel_import(id)
        raise


def _perform(ctx: Context, client: TransferClient, id: str) -> None:
    """Confirm; with `--yes`, as soon as an import that is being written has ended."""
    while True:
        try:
            return client.perform_import(id)
        except DeploymentError as error:
            if error.code != "JobAlreadyRunning":
                raise
            if not ctx.settings.yes:
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

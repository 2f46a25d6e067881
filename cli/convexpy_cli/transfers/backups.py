"""The work of `convexpy backup`: an export with code version, schema and names of variables, kept by the deployment."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from convexpy.client import TransferClient
from convexpy.project import Target
from convexpy.protocol.app_description import SchemaDescription
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.output.units import size_text, span_s
from convexpy_cli.transfers import exports, imports

MANIFEST = "_convexpy/manifest.json"
FAULTS_SHOWN = 20


def create(
    ctx: Context, client: TransferClient, *, include_storage: bool, to: str | None, expires: str
) -> dict[str, Any]:
    """Make a backup; fetch it, too, if a folder is given. Return the result."""
    kept_s = int(span_s(expires))
    if to is not None and not Path(to).is_dir():
        raise errors.usage(f"{to} is not a folder", "--to DIR")
    found = exports.make(ctx, client, include_storage=include_storage, backup=True)
    client.expire_export(found["_id"], int(found["complete_ts"]) + kept_s * 10**9)
    if to is None:
        return exports.result_of(found, "", None)
    target = Path(to) / file_name(found)
    return exports.result_of(found, str(target), exports.fetch(ctx, client, found, target))


def file_name(found: dict[str, Any]) -> str:
    """Return the name of a backup's file."""
    return f"backup_{datetime.fromtimestamp(int(found['start_ts']) / 1e9, UTC):%Y%m%dT%H%M%SZ}.zip"


def listed(client: TransferClient) -> list[dict[str, Any]]:
    """Return the complete backups, the newest first."""
    return [
        {
            "id": found["_id"],
            "ts": found["start_ts"],
            "createdAt": int(found["start_ts"]) / 1e6,
            "expiresAt": int(found["expiration_ts"]) / 1e6,
            "bytes": int(found["size"]),
            "documents": sum(int(count) for count in found["tables"].values()),
            "files": int(found.get("files", 0)) if found["format"]["include_storage"] else None,
        }
        for found in client.backups()
        if found["state"] == "completed"
    ]


def cells(backup: dict[str, Any]) -> list[str]:
    """Return a backup's line of the list."""
    files = "-" if backup["files"] is None else f"{backup['files']:,}"
    moments = [
        datetime.fromtimestamp(backup[name] / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")
        for name in ("createdAt", "expiresAt")
    ]
    return [
        backup["id"],
        moments[0],
        f"{backup['documents']:,}",
        files,
        size_text(backup["bytes"]),
        moments[1],
    ]


def check_age(backups: list[dict[str, Any]], max_age: str) -> None:
    """Raise Failure (exit 1) when the newest backup is older, or there is none."""
    oldest_ms = (time.time() - span_s(max_age)) * 1000
    if not backups or backups[0]["createdAt"] < oldest_ms:
        text = "there are no backups" if not backups else f"the newest backup is older than {max_age}"
        raise errors.Failure("BackupTooOld", text, hint="convexpy backup create")


def find(client: TransferClient, id: str) -> dict[str, Any]:
    """Return a complete backup, or raise Failure."""
    found = client.find_export(id)
    if found is None or found["state"] != "completed" or found["requestor"] != "backup":
        raise errors.Failure("BackupNotFound", f"no backup {id}", hint="convexpy backup list")
    return found


# Restoring


def restore(
    ctx: Context, client: TransferClient, target: Target, which: str, confirm: str | None
) -> dict[str, Any]:
    """Replace everything by a backup, after a backup of what is there; return the result."""
    _agree(ctx, target, confirm)
    if Path(which).is_file():
        verify(Path(which))
        return _restore(ctx, client, which)
    found = find(client, which)
    with tempfile.TemporaryDirectory(prefix="convexpy-restore-") as folder:
        path = Path(folder) / file_name(found)
        exports.fetch(ctx, client, found, path)
        return _restore(ctx, client, str(path))


def _agree(ctx: Context, target: Target, confirm: str | None) -> None:
    """Require consent to the loss; for production the name of the deployment too."""
    message = f"everything in {target.name} would be replaced"
    ctx.require_consent(f"{message}. Continue?", message, allow="data-replace", yes=False)
    if not target.production:
        return
    typed = confirm
    if typed is None and ctx.prompts.allowed():
        question = f"{target.name} is production. Type its name to restore it:"
        typed = ctx.prompts.text(question, answered_by=f"--confirm {target.name}")
    if typed != target.name:
        raise errors.consent(
            f"{target.name} is production: confirm with its name", f"--confirm {target.name}"
        )


def _restore(ctx: Context, client: TransferClient, file: str) -> dict[str, Any]:
    before = create(ctx, client, include_storage=True, to=None, expires="30d")
    ctx.output.note(f"the previous data is kept as backup {before['id']} for 30 days")
    order = imports.ImportOrder(file=file, file_format="zip", replace_all=True)
    agreed = ctx.sibling(allow=(*ctx.settings.allow, "data-replace"))
    result = imports.run_import(agreed, client, order, order.to_json())
    return {**result, "backup": before["id"]}


# Verifying


def verify(path: Path, note: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Read a backup or snapshot completely: checksums, counts, schema, digests of files; return what is in it.

    Raises:
        Failure: something is wrong; `note` hears of each.
    """
    from convexpy.snapshots import Archive

    problems: list[str] = []
    with Archive(path) as archive:
        manifest = _manifest(archive)
        tables = _verify_tables(archive, manifest, problems)
        files = _verify_files(archive, problems)
    if problems:
        for problem in problems[:FAULTS_SHOWN]:
            if note is not None:
                note(problem)
        raise errors.Failure(
            "BackupDamaged", f"{problems[0]}" + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""))  # fmt: skip
    return {
        "path": str(path),
        "bytes": path.stat().st_size,
        "sha256": exports.digest_of(path),
        "tables": tables,
        "files": files,
        "convexpy": manifest.get("convexpy"),
        "codeVersion": manifest.get("codeVersion"),
        "environmentVariables": manifest.get("environmentVariables"),
    }


def _manifest(archive: Any) -> dict[str, Any]:
    if not archive.has(MANIFEST):
        return {}
    with archive.open(MANIFEST) as stream:
        try:
            found = json.loads(stream.read())
        except ValueError:
            found = None
    return found if isinstance(found, dict) else {}


def _verify_tables(archive: Any, manifest: dict[str, Any], problems: list[str]) -> dict[str, int]:
    from convexpy.errors import SchemaViolation
    from convexpy.schema import load_schema

    schema = None
    try:
        schema = (
            load_schema(msgspec.convert(manifest["schema"], SchemaDescription))
            if manifest.get("schema")
            else None
        )
    except (KeyError, ValueError):
        problems.append(f"{MANIFEST}: the schema can't be read")
    counts: dict[str, int] = {}
    numbers = {**archive.numbers, "_storage": 519}
    for table in archive.tables:
        count = 0
        for document in exports.documents(archive, table.name):
            count += 1
            if schema is not None:
                try:
                    schema.check_document(table.name, document, numbers.get)
                except SchemaViolation as error:
                    problems.append(f"{table.path}: {document.get('_id')}: {error.message}")
        counts[table.name] = count
    expected = manifest.get("tables")
    if expected is not None and expected != counts:
        problems.append("the counts of documents are not those of the manifest")
    return counts


def _verify_files(archive: Any, problems: list[str]) -> int:
    count = 0
    for file in archive.files():
        digest = hashlib.sha256()
        with archive.open(file.path) as stream:
            while piece := stream.read(1024 * 1024):
                digest.update(piece)
        if file.document.get("sha256") not in (
            None, digest.hexdigest(), base64.b64encode(digest.digest()).decode(),
        ):  # fmt: skip
            problems.append(f"{file.path}: the bytes are not those of its sha256")
        count += 1
    return count

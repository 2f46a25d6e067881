"""`doctor --deep` and `doctor --salvage`: the data folder of a stopped server, handled by a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.doctor.findings import Finding, fail, ok, warn

FAULTS_SHOWN = 20


def check(ctx: Context, data: Path) -> list[Finding]:
    """Check every record of a data folder; return what is wrong with it.

    Raises:
        Failure: the folder is in use, or is none.
    """
    report = _tool(ctx, "check", data)
    faults: list[str] = report["faults"]
    counted = ", ".join(f"{count:,} {what}" for what, count in report["counted"].items())
    if not faults:
        return [ok(f"{data} is intact: {counted}", check="data")]
    why = "the bytes on disk are not what was written"
    fix = "look at the disk, then restore a backup: convexpy backup --help"
    if any("do not fit" in fault or fault.startswith("log.db") for fault in faults):
        fix += f"; if only log.db is damaged: convexpy doctor --salvage --data {data}"
    shown = [Finding(check="data", status="fail", message=fault) for fault in faults[:FAULTS_SHOWN]]
    last = f"{len(faults):,} faults in {data}; looked at: {counted}"
    return [*shown, fail(last, why=why, fix=fix, check="data")]


def salvage(ctx: Context, data: Path) -> list[Finding]:
    """Make log.db fit data.db again; return what was lost by it.

    Raises:
        Failure: the folder is in use, or data.db itself cannot be read.
    """
    report = _tool(ctx, "salvage", data)
    if not report["setAside"]:
        return [ok(f"log.db and data.db in {data} are consistent; nothing was changed", check="data")]
    lost = report["lost"] or ["nothing that was not in data.db"]
    kept = f"{report['keptRows']} later commits of the log"
    found = warn(
        f"{data} continues from commit {report['checkpointSeq']} of data.db and {kept}",
        why="lost: " + "; ".join(lost),
        fix=f"convexpy doctor --deep --data {data}; keep the old log, {report['setAside']}, until nothing is missing",
        check="data",
    )
    return [found]


def _tool(ctx: Context, work: str, data: Path) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "convexpy.serve.data_tool", work, str(data)]
    if not data.is_dir():
        raise errors.Failure("DataFolderUnusable", f"--data {data}: no such folder")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            message = json.loads(line)
            if "progress" in message:
                what, count = message["progress"]
                ctx.output.text(f"{count:,} {what} …") if ctx.settings.verbose else None
            elif "error" in message:
                error = message["error"]
                raise errors.Failure(
                    error["code"], error["message"], exit_code=error["exitCode"], hint=error["hint"]
                )
            else:
                return dict(message)
    raise errors.Failure("WorkerLost", f"checking {data} failed with exit status {process.returncode}")

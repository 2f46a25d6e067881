"""Running the checks: one after the other, each for itself and for a bounded time; then what is repaired."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convexpy.errors import Error, ProjectError
from convexpy.project import LocalDeployment, find_project
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.doctor import deployment_checks, files, machine, project_checks
from convexpy_cli.doctor.findings import Check, Finding, Scene, fail, ok, skip, warn
from convexpy_cli.output import masking
from convexpy_cli.serve import data_tool

FAULTS_SHOWN = 20
CHECK_TIMEOUT_S = 15.0
CHECKS: tuple[Check, ...] = (
    *machine.CHECKS,
    *project_checks.CHECKS,
    *files.CHECKS,
    *deployment_checks.CHECKS,
)
_NAME_WIDTH = 14


def examine(ctx: Context, *, fix: bool, network: bool, updates: bool) -> int:
    """Run all checks and show what they find; return the exit status: 1 if something is broken."""
    scene = Scene(ctx, network=network, updates=updates)
    try:
        scene.project = find_project(Path.cwd())
    except ProjectError as error:
        scene.project_error = error
    found: list[Finding] = []
    for check in CHECKS:
        for finding in findings(check, scene):
            if fix and finding.repair is not None:
                _repair(ctx, finding)
            finding.message = masking.mask(finding.message)
            finding.details = [masking.mask(detail) for detail in finding.details]
            found.append(finding)
            _show(ctx, finding)
    return _end(ctx, found)


def examine_data(ctx: Context, data: Path | None, *, deep: bool, salvage: bool) -> int:
    """Salvage, then check the data folder of a stopped server; return the exit status: 1 if something is broken."""
    folder = data or _local_data()
    found: list[Finding] = []
    if salvage:
        question = (
            f"Set log.db in {folder} aside if it does not fit data.db, and go on without what only it holds?"
        )
        if not ctx.prompts.agree(question):
            raise errors.consent("nothing was changed", "--yes")
        found += _salvage(ctx, folder)
    if deep:
        found += _check(ctx, folder)
    for finding in found:
        _show(ctx, finding)
    return _end(ctx, found)


def _local_data() -> Path:
    try:
        return LocalDeployment(find_project(Path.cwd())).folder
    except ProjectError as error:
        raise errors.usage("--deep and --salvage need --data DIR outside of a project") from error


def _show(ctx: Context, finding: Finding) -> None:
    for line in lines(finding, verbose=ctx.settings.verbose):
        ctx.output.text(line)


def _end(ctx: Context, found: list[Finding]) -> int:
    broken, doubtful, skipped = (
        sum(each.status == status for each in found) for status in ("fail", "warn", "skip")
    )
    ctx.output.text(summary(broken, doubtful, skipped))
    ctx.output.result([finding.to_json() for finding in found])
    return errors.FAILED if broken else errors.OK


def findings(check: Check, scene: Scene, timeout_s: float = CHECK_TIMEOUT_S) -> list[Finding]:
    """Return what a check finds: a failure of that check if it crashes or takes too long."""
    found: list[Finding] = []
    if check.of == "project" and scene.project_error is not None:
        found.append(skip("no project"))
    elif check.of == "deployment" and scene.silent is not None:
        found.append(skip(scene.silent))
    else:
        thread = threading.Thread(target=_look, args=(check, scene, found), daemon=True, name=check.name)
        thread.start()
        thread.join(timeout_s)
        if thread.is_alive():
            if check.of == "deployment":
                scene.silent = "the deployment does not respond in time"
            why, message = (
                "other commands may hang for the same reason",
                f"did not finish within {timeout_s:g} s",
            )
            found = [*found, fail(message, why=why, fix="convexpy doctor --debug")]
    for finding in found:
        finding.check = finding.check or check.name
    return found


def _look(check: Check, scene: Scene, found: list[Finding]) -> None:
    try:
        looked = check.look(scene)
        found.extend([looked] if isinstance(looked, Finding) else looked)
    except Exception as error:  # noqa: BLE001 - whatever a check trips over is its finding, and no other's
        hint = getattr(error, "hint", None)
        failed = fail(
            f"{error}" if isinstance(error, Error) else f"the check itself failed: {error!r}",
            why="the check gave no result",
            fix=str(hint) if hint else "convexpy doctor --debug",
        )
        if scene.run.settings.debug:
            failed.details = traceback.format_exc().splitlines()
        found.append(failed)


def lines(finding: Finding, *, verbose: bool = False) -> Iterator[str]:
    """Yield a finding as a person reads it: nothing for what was skipped with nothing to do about it, unless `verbose`."""
    if finding.status == "skip" and finding.fix is None and not verbose:
        return
    yield f"{finding.status if not finding.fixed else 'fixed':<6}{finding.check:<{_NAME_WIDTH}} {finding.message}"
    indent = " " * (_NAME_WIDTH + 7)
    if finding.status in ("warn", "fail") and not finding.fixed and finding.why:
        yield f"{indent}why  {finding.why}"
    if finding.fix and finding.status != "ok":
        yield f"{indent}fix  {finding.fix}"
    if verbose:
        for detail in finding.details:
            yield indent + detail


def summary(broken: int, doubtful: int, skipped: int) -> str:
    """Return the last line."""
    parts = [
        f"{broken} failed" if broken else "",
        f"{doubtful} warnings" if doubtful else "",
        "no problems found" if not broken and not doubtful else "",
        f"{skipped} skipped (-v shows why)" if skipped else "",
    ]
    return ", ".join(part for part in parts if part)


def _repair(ctx: Context, finding: Finding) -> None:
    repair = finding.repair
    assert repair is not None  # the caller looked
    if repair.question is not None and not ctx.prompts.confirm(repair.question, default=False):
        return
    try:
        repair.apply()
    except (OSError, Error) as error:
        finding.message += f"; it could not be fixed: {error}"
        return
    finding.status, finding.fixed = "ok", True


def _check(ctx: Context, data: Path) -> list[Finding]:
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


def _salvage(ctx: Context, data: Path) -> list[Finding]:
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
    if not data.is_dir():
        raise errors.Failure("DataFolderUnusable", f"--data {data}: no such folder")

    def progress(what: str, count: int) -> None:
        if ctx.settings.verbose:
            ctx.output.text(f"{count:,} {what} …")

    return data_tool.run(work, data, progress)

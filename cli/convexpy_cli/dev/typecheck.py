"""`convexpy typecheck`."""

from __future__ import annotations

from typing import Annotated

from convexpy_cli import errors
from convexpy_cli.command import command, option, single
from convexpy_cli.context import Context

app = single()


@command(app, examples=("convexpy typecheck --json", "convexpy typecheck --checker mypy"))
def typecheck(
    ctx: Context,
    checker: Annotated[
        str | None, option("--checker NAME", "pyright, basedpyright, mypy, ty, or a command.")
    ] = None,
) -> None:
    """Run the project's type checker on the functions folder. Exits with 7 if there are errors."""
    from convexpy.project import find_checker, run_checker

    project = ctx.project
    name = find_checker(project, checker)
    if name is None:
        if project.config.typecheck == "enable":
            raise errors.Failure("ConfigInvalid", "no type checker is installed", hint="pip install pyright")
        ctx.output.note("no type checker is installed: pip install pyright")
        ctx.output.result({"checker": None, "ok": True, "diagnostics": []})
        return
    result = run_checker(project, name)
    findings = [each.to_json() for each in result.diagnostics]
    if not ctx.settings.machine:
        for each in result.diagnostics:
            ctx.output.text(str(each))
    if not result.ok:
        count = sum(each.severity == "error" for each in result.diagnostics)
        raise errors.Failure(
            "TypecheckFailed",
            f"{result.checker} found {count} error{'s' if count > 1 else ''}",
            data={"diagnostics": findings},
        )
    ctx.output.result({"checker": result.checker, "ok": True, "diagnostics": findings})
    ctx.output.step("ok", f"{result.checker}: no errors")

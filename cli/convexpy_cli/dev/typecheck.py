"""`convexpy typecheck`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(examples=("convexpy typecheck --json", "convexpy typecheck --checker mypy"))
def typecheck(
    run: Invocation,
    checker: Annotated[
        str | None, Option("--checker", help="pyright, basedpyright, mypy, ty, or a command")
    ] = None,
) -> None:
    """Run the project's own type checker on the functions folder.

    Exit codes: 0 no errors (or no checker found), 3 the checker is not installed, 7 type errors.
    """
    from convexpy.project import find_checker, run_checker

    project = run.project
    name = find_checker(project, checker)
    if name is None:
        if project.config.typecheck == "enable":
            raise errors.Failure(
                "ConfigInvalid",
                "no type checker is installed",
                errors.CONFIGURATION,
                hint="pip install pyright",
            )
        run.output.note("no type checker is installed: pip install pyright")
        run.output.result({"checker": None, "ok": True, "diagnostics": []})
        return
    result = run_checker(project, name)
    findings = [each.to_json() for each in result.diagnostics]
    if not run.settings.machine:
        for each in result.diagnostics:
            run.output.text(str(each))
    if not result.ok:
        count = sum(each.severity == "error" for each in result.diagnostics)
        raise errors.Failure(
            "TypecheckFailed",
            f"{result.checker} found {count} error{'s' if count > 1 else ''}",
            errors.NOT_DEPLOYABLE,
            data={"diagnostics": findings},
        )
    run.output.result({"checker": result.checker, "ok": True, "diagnostics": findings})
    run.output.step("ok", f"{result.checker}: no errors")

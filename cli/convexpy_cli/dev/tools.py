"""`convexpy codegen` and `convexpy typecheck`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from convexpy_cli import errors
from convexpy_cli.command import command, option, single
from convexpy_cli.context import Context

if TYPE_CHECKING:
    from convexpy.protocol.app_description import AppDescription

codegen_app = single()
typecheck_app = single()


@command(codegen_app, examples=("convexpy codegen --check", "convexpy codegen --typescript"))
def codegen(
    ctx: Context,
    check: Annotated[bool, option("--check", "Write nothing; exit with 7 if a file is out of date.")] = False,
    python: Annotated[
        bool | None, option("--python/--no-python", "Types for functions [default: [codegen] python].")
    ] = None,
    typescript: Annotated[
        bool | None,
        option("--typescript/--no-typescript", "Types for front ends [default: [codegen] typescript]."),
    ] = None,
    out: Annotated[str | None, option("--out DIR", "Write here instead of _generated/.")] = None,
    from_deployment: Annotated[
        bool, option("--from-deployment", "Describe the live version instead of the local code.")
    ] = False,
) -> None:
    """Write _generated/ from local code, without a server or network.

    Python types are written by default, TypeScript types if the project has a package.json.
    """
    from convexpy.project.codegen import GENERATED_FOLDER, render_for, stale_files, write_files
    from convexpy_cli.deploy.checks import stale_generated

    project = ctx.project
    if from_deployment:
        with ctx.connected("codegen") as (_, client):
            described: AppDescription = client.app()
    else:
        from convexpy.project import analyze

        with ctx.output.working("importing the functions", quick=True):
            described = analyze(project)
    files = render_for(project, described, python=python, typescript=typescript)
    if not files:
        raise errors.usage("both Python and TypeScript are switched off", "--python or --typescript")
    target: str | Path = GENERATED_FOLDER if out is None else Path(out).absolute()
    shown = Path(project.config.functions) / GENERATED_FOLDER if out is None else Path(out)
    if check:
        stale = [(shown / name).as_posix() for name in stale_files(project.functions, files, folder=target)]
        if stale:
            raise stale_generated(stale)
        ctx.output.result({"written": [], "stale": []})
        ctx.output.note("generated files are up to date")
        return
    written = [(shown / name).as_posix() for name in write_files(project.functions, files, folder=target)]
    ctx.output.result({"written": written, "stale": []})
    ctx.output.step("ok", f"wrote {', '.join(written)}" if written else "generated files are up to date")


@command(typecheck_app, examples=("convexpy typecheck --json", "convexpy typecheck --checker mypy"))
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
    with ctx.output.working(f"checking types with {name}"):
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

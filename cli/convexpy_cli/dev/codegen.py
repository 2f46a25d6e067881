"""`convexpy codegen`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from convexpy_cli import errors
from convexpy_cli.command import command, option, single
from convexpy_cli.context import Context

if TYPE_CHECKING:
    from convexpy.project import Project
    from convexpy.protocol.app_description import AppDescription

app = single()


@command(app, examples=("convexpy codegen --check", "convexpy codegen --typescript"))
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

    project = ctx.project
    files = render_for(
        project, _description(ctx, project, from_deployment), python=python, typescript=typescript
    )
    if not files:
        raise errors.usage("both Python and TypeScript are switched off", "--python or --typescript")
    target: str | Path = GENERATED_FOLDER if out is None else Path(out).absolute()
    shown = Path(project.config.functions) / GENERATED_FOLDER if out is None else Path(out)
    if check:
        stale = stale_files(project.functions, files, folder=target)
        _require_fresh(ctx, [(shown / name).as_posix() for name in stale])
        return
    written = [(shown / name).as_posix() for name in write_files(project.functions, files, folder=target)]
    ctx.output.result({"written": written, "stale": []})
    ctx.output.step("ok", f"wrote {', '.join(written)}" if written else "generated files are up to date")


def _description(ctx: Context, project: Project, from_deployment: bool) -> AppDescription:
    """Return the description of the local code or of the live version."""
    if not from_deployment:
        from convexpy.project import analyze

        return analyze(project)

    with ctx.connected("codegen") as (_, client):
        return client.app()


def _require_fresh(ctx: Context, stale: list[str]) -> None:
    if stale:
        from convexpy_cli.deploy.checks import stale_generated

        raise stale_generated(stale)
    ctx.output.result({"written": [], "stale": []})
    ctx.output.note("generated files are up to date")

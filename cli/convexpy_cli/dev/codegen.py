"""`convexpy codegen`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command

if TYPE_CHECKING:
    from convexpy.project import Project
    from convexpy.protocol.app_description import AppDescription


@leaf_command(examples=("convexpy codegen", "convexpy codegen --check", "convexpy codegen --typescript"))
def codegen(
    run: Invocation,
    check: Annotated[bool, Option("--check", help="write nothing; exit 7 if a file is stale")] = False,
    python: Annotated[
        bool | None, Option("--python/--no-python", help="types for functions; default: [codegen] python")
    ] = None,
    typescript: Annotated[
        bool | None,
        Option("--typescript/--no-typescript", help="types for front ends; default: [codegen] typescript"),
    ] = None,
    out: Annotated[str | None, Option("--out", metavar="DIR", help="write there, not to _generated/")] = None,
    from_deployment: Annotated[
        bool, Option("--from-deployment", help="from the live version of the deployment, not from local code")
    ] = False,
) -> None:
    """Write _generated/ from local code, with no server and no network. Unchanged files are not touched.

    Python always, unless the configuration says otherwise; TypeScript if the project has a package.json.

    Exit codes: 0 done, 2 nothing is wanted, 3 no project, 7 the code does not import, or --check found stale files.
    """
    from convexpy.project.codegen import GENERATED_FOLDER, render_for, stale_files, write_files

    project = run.project
    files = render_for(
        project, _description(run, project, from_deployment), python=python, typescript=typescript
    )
    if not files:
        raise errors.usage("neither Python nor TypeScript is wanted", "--python or --typescript")
    target: str | Path = GENERATED_FOLDER if out is None else Path(out).absolute()
    shown = Path(project.config.functions) / GENERATED_FOLDER if out is None else Path(out)
    if check:
        _require_fresh(
            run, [(shown / name).as_posix() for name in stale_files(project.functions, files, folder=target)]
        )
        return
    written = [(shown / name).as_posix() for name in write_files(project.functions, files, folder=target)]
    run.output.result({"written": written, "stale": []})
    run.output.step("ok", f"wrote {', '.join(written)}" if written else "generated files are up to date")


def _description(run: Invocation, project: Project, from_deployment: bool) -> AppDescription:
    """Return functions and schema, of the local code or of what is live."""
    if not from_deployment:
        from convexpy.project import analyze

        return analyze(project)

    with run.connected("codegen") as (_, client):
        return client.app()


def _require_fresh(run: Invocation, stale: list[str]) -> None:
    if stale:
        raise errors.Failure(
            "GeneratedFilesStale",
            f"not up to date: {', '.join(stale)}",
            errors.NOT_DEPLOYABLE,
            hint="convexpy codegen",
            data={"stale": stale},
        )
    run.output.result({"written": [], "stale": []})
    run.output.note("generated files are up to date")

"""`convexpy codegen`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from convexpy_cli import failure
from convexpy_cli.invocation import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(examples=("convexpy codegen", "convexpy codegen --check"))
def codegen(
    run: Invocation,
    check: Annotated[bool, Option("--check", help="write nothing; exit 7 if a file is stale")] = False,
) -> None:
    """Write _generated/ from local code, with no server and no network. Unchanged files are not touched.

    Exit codes: 0 done, 3 no project, 7 the code does not import, or --check found stale files.
    """
    from convexpy.project import analyze
    from convexpy.project.codegen import render_files, stale_files, write_files

    project = run.project
    files = render_files(analyze(project))
    folder = f"{project.config.functions}/_generated"
    if check:
        stale = [f"{folder}/{name}" for name in stale_files(project.functions, files)]
        if stale:
            raise failure.Failure(
                "GeneratedFilesStale",
                f"not up to date: {', '.join(stale)}",
                failure.NOT_DEPLOYABLE,
                hint="convexpy codegen",
                data={"stale": stale},
            )
        run.output.result({"written": [], "stale": []})
        run.output.note("generated files are up to date")
        return
    written = [f"{folder}/{name}" for name in write_files(project.functions, files)]
    run.output.result({"written": written, "stale": []})
    run.output.step("ok", f"wrote {', '.join(written)}" if written else "generated files are up to date")

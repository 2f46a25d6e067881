"""What a deploy checks in the project, generated files and types, and what it runs: builds, and a function at the end."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import Any

from convexpy.client import AdminClient
from convexpy.errors import Error, SourceLocation
from convexpy.project import CheckResult, Project, client_variables
from convexpy.protocol.app_description import AppDescription
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.functions import call


def stale_generated(stale: list[str]) -> errors.Failure:
    """Return the error of generated files that are not up to date."""
    return errors.Failure(
        "GeneratedFilesStale",
        f"not up to date: {', '.join(stale)}",
        hint="convexpy codegen",
        location=SourceLocation(stale[0]),
        data={"stale": stale},
    )


def type_errors(result: CheckResult) -> errors.Failure:
    """Return the error of a type check that found some."""
    first = result.errors[0]
    return errors.Failure(
        "TypecheckFailed",
        f"{first.message} ({result.counted})",
        hint="convexpy typecheck",
        location=SourceLocation(first.file, first.line, first.column),
        data={"diagnostics": [each.to_json() for each in result.errors]},
    )


def codegen(
    ctx: Context, project: Project, app: AppDescription, mode: str, blocked: list[dict[str, Any]]
) -> str:
    """Write the generated files, or say which are stale; returns `ok`, `written`, `stale` or `skipped`.

    The deployment has imported the app for its plan, so its description is taken and nothing is imported here. In the
    mode `check` stale files block the deploy; in the mode `look` they are only named.
    """
    if mode == "disable":
        return "skipped"
    from convexpy.project.codegen import GENERATED_FOLDER, render_for, stale_files, write_files

    files = render_for(project, app)
    folder = f"{project.config.functions}/{GENERATED_FOLDER}"
    stale = [f"{folder}/{name}" for name in stale_files(project.functions, files)]
    if not stale:
        return "ok"
    if mode == "enable":
        write_files(project.functions, files)
        ctx.output.note(f"wrote {', '.join(stale)}")
        return "written"
    failure = stale_generated(stale)
    if mode == "check":
        blocked.append(failure.to_json())
    else:
        ctx.output.note(failure.message)
    return "stale"


def typecheck(ctx: Context, project: Project, mode: str, blocked: list[dict[str, Any]]) -> str:
    """Run the type checker; returns `ok`, `failed`, `missing` or `skipped`. Errors block, but in the mode `try`."""
    if mode == "disable":
        return "skipped"
    from convexpy.project import find_checker, run_checker

    checker = find_checker(project)
    if checker is None:
        ctx.output.warn("no type checker is installed: types are not checked (pip install pyright)")
        return "missing"
    with ctx.output.working(f"checking types with {checker}"):
        result = run_checker(project, checker)
    if not result.errors:
        return "ok"
    for each in result.errors[:5]:
        ctx.output.note(str(each))
    if mode == "try":
        ctx.output.warn(f"{checker} found {result.counted}")
    else:
        blocked.append(type_errors(result).to_json())
    return "failed"


def run_function(ctx: Context, client: AdminClient, line: str) -> dict[str, Any]:
    """Call the function of `--run` with its arguments; returns `function value`.

    Raises:
        Failure: it failed (exit 1): the deploy itself is done.
    """
    try:
        path, value = call.run_line(ctx, client, line)
    except Error as error:
        message = f"the deploy is done, but {shlex.split(line)[0]} failed: {error.message}"
        details = {"hint": error.hint, "data": error.data}
        raise errors.Failure(error.code, message, exit_code=errors.FAILED, **details) from error
    return {"function": path, "value": value}


def build_variables(project: Project, url: str, site_url: str, url_variable: str | None) -> dict[str, str]:
    """Return the variables for the build: both URLs, plain, under the framework's names, and the one asked for."""
    file = project.root / project.config.client_file
    named = {} if not url_variable else {url_variable: url}
    return {
        "CONVEX_URL": url,
        "CONVEX_SITE_URL": site_url,
        **client_variables(project.root, file, url, site_url),
        **named,
    }


def run_build(project: Project, command: str, variables: dict[str, str], *, pushed: bool) -> None:
    """Run the command in the project's folder; what it writes goes to stderr, for stdout is the result.

    Raises:
        Failure: it ended with something else than 0 (exit 1).
    """
    sys.stderr.flush()
    done = subprocess.run(
        command,
        shell=True,
        cwd=project.root,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        check=False,
    )
    if done.returncode != 0:
        outcome = "the deploy is done, but " if pushed else ""
        option = "--cmd-after" if pushed else "--cmd"
        raise errors.Failure(
            "BuildFailed",
            f"{outcome}{option} ended with status {done.returncode}: {command}",
            data={"status": done.returncode},
        )

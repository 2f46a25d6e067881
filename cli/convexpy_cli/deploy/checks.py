"""What a deploy checks in the project: generated files, types; and the function that it runs at the end."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from convexpy_cli import errors
from convexpy_cli.functions import call

if TYPE_CHECKING:
    from convexpy.client import AdminClient
    from convexpy.project import Project
    from convexpy.protocol.app_description import AppDescription
    from convexpy_cli.context import Context


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
    stale = [
        f"{project.config.functions}/{GENERATED_FOLDER}/{name}"
        for name in stale_files(project.functions, files, folder=GENERATED_FOLDER)
    ]
    if not stale:
        return "ok"
    if mode == "enable":
        write_files(project.functions, files)
        ctx.output.note(f"wrote {', '.join(stale)}")
        return "written"
    if mode == "check":
        blocked.append(
            {
                "code": "GeneratedFilesStale",
                "message": f"not up to date: {', '.join(stale)}",
                "hint": "convexpy codegen",
                "location": {"file": stale[0], "line": None, "column": None},
                "data": {"stale": stale},
            }
        )
    else:
        ctx.output.note(f"not up to date: {', '.join(stale)}")
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
    result = run_checker(project, checker)
    errors = [each for each in result.diagnostics if each.severity == "error"]
    if not errors:
        return "ok"
    for each in errors[:5]:
        ctx.output.note(str(each))
    first = errors[0]
    count = f"{len(errors)} type error{'s' if len(errors) > 1 else ''}"
    if mode == "try":
        ctx.output.warn(f"{checker} found {count}")
        return "failed"
    blocked.append(
        {
            "code": "TypecheckFailed",
            "message": f"{first.message} ({count})",
            "hint": "convexpy typecheck",
            "location": {"file": first.file, "line": first.line, "column": first.column},
            "data": {"diagnostics": [each.to_json() for each in errors]},
        }
    )
    return "failed"


def run_function(ctx: Context, client: AdminClient, command: str) -> dict[str, Any]:
    """Call the function of `--run` with its arguments; returns `function value`.

    Raises:
        Failure: it failed (exit 1): the deploy itself is done.
    """
    from convexpy.client import DeploymentError
    from convexpy_cli.output.json import dumps

    function, *words = shlex.split(command)
    try:
        described, args = call.prepared(ctx, client, function, words)
        value = client.call(described.path, args).value
    except (errors.Failure, DeploymentError) as error:
        fields = errors.shown(error)
        raise errors.Failure(
            fields["code"],
            f"the deploy is done, but {function} failed: {fields['message']}",
            exit_code=errors.FAILED,
            hint=fields["hint"],
            data=fields["data"],
        ) from error
    ctx.output.step("ok", f"{described.path} → {dumps(value)}")
    return {"function": described.path, "value": value}

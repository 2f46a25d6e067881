"""What runs beside the watch loop after a push: code generation, the type checker, one function."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from convexpy.client import AdminClient
from convexpy.errors import SourceLocation
from convexpy.project import Project, analyze, run_checker
from convexpy.project.codegen import GENERATED_FOLDER, render_for, write_files
from convexpy_cli import completion, errors
from convexpy_cli.functions import call
from convexpy_cli.output.json import dumps

if TYPE_CHECKING:
    from convexpy_cli.context import Context


class LatestOnly:
    """Runs a job that looks at the newest state, so of several that wait one is enough."""

    def __init__(self) -> None:
        self._running = threading.Lock()
        self._lock = threading.Lock()
        self._waiting = False

    def run(self, work: Callable[[], int]) -> int:
        """Run `work` when the one that runs has ended; if another waits already, leave it to that one."""
        with self._lock:
            if self._waiting:
                return 0
            self._waiting = True
        with self._running:
            with self._lock:
                self._waiting = False
            return work()


def generate(project: Project, client: AdminClient) -> list[str]:
    """Write the generated files for the version that is live; returns what changed, relative to the project.

    The server has imported the app already, so its description is asked for and nothing is imported again.
    """
    described = client.app()
    completion.remember(project, described)
    written = write_files(project.functions, render_for(project, described))
    return [f"{project.config.functions}/{GENERATED_FOLDER}/{name}" for name in written]


def hold_back_type_errors(project: Project, checker: str | None) -> None:
    """Raise if the type checker finds errors: a push must wait for them (`--typecheck enable`).

    Raises:
        Failure: `TypecheckFailed`, or there is no checker.
        ProjectError: the functions do not import, which code generation needs.
    """
    if checker is None:
        raise errors.Failure("ConfigInvalid", "no type checker is installed", hint="pip install pyright")
    # Types of a new table or function are there only after this.
    write_files(project.functions, render_for(project, analyze(project)))
    result = run_checker(project, checker)
    found = [each for each in result.diagnostics if each.severity == "error"]
    if found:
        first = found[0]
        raise errors.Failure(
            "TypecheckFailed",
            f"{first.message} ({len(found)} type error{'s' if len(found) > 1 else ''})",
            location=SourceLocation(first.file, first.line, first.column),
            data={"diagnostics": [each.to_json() for each in found]},
        )


def run_function(ctx: Context, client: AdminClient, command: str) -> None:
    """Call the function of `--run`: a path, and arguments as `convexpy run` takes them.

    Raises:
        Failure: unknown function or wrong arguments.
        FunctionFailed: the function raised.
    """
    function, *words = shlex.split(command)
    described, args = call.prepared(ctx, client, function, words)
    result = client.call(described.path, args)
    ctx.output.event("ran", function=described.path, value=result.value)
    ctx.output.step("ok", f"{described.path} → {dumps(result.value)}")

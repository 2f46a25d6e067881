"""What runs beside the watch loop after a push: code generation, the type checker, one function."""

from __future__ import annotations

import threading
from collections.abc import Callable

from convexpy.client import AdminClient
from convexpy.project import Project, analyze, run_checker
from convexpy.project.codegen import GENERATED_FOLDER, render_for, write_files
from convexpy_cli import completion, errors
from convexpy_cli.deploy.checks import type_errors


class LatestOnly:
    """Runs a job that looks at the newest state, so of several that wait one is enough."""

    def __init__(self) -> None:
        self._running, self._place = threading.Lock(), threading.Semaphore()

    def run(self, work: Callable[[], None]) -> None:
        """Run `work` when the one that runs has ended; if another waits already, leave it to that one."""
        if self._place.acquire(blocking=False):
            with self._running:
                self._place.release()
                work()


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
    if result.errors:
        raise type_errors(result)

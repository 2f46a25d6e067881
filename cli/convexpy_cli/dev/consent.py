"""Pushing to a remote deployment from the watch loop: a large index is dropped only after a yes.

The question is asked in the terminal of `convexpy dev`, from the thread that pushes, while the log is held back. Where nobody
can be asked, or the answer is no, the push is held until files change.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from convexpy.client import AdminClient, DeploymentError, PushFile, PushResult
from convexpy.project import Project
from convexpy_cli import errors
from convexpy_cli.deploy import plan_text
from convexpy_cli.deploy.options import covers
from convexpy_cli.output.prompts import Prompts
from convexpy_cli.output.settings import Settings

# Only a deploy asks for these.
_NOT_ASKED = ("staged-drop", "function-removal")


class ConsentingPush:
    """Pushes, and remembers for the session what was agreed to."""

    def __init__(
        self,
        settings: Settings,
        client: AdminClient,
        *,
        may_ask: Callable[[], bool],
        hold: Callable[[bool], None],
    ) -> None:
        self._settings = settings
        self._client = client
        self._may_ask = may_ask
        self._hold = hold
        self._given = [*_NOT_ASKED, *settings.allow]
        self._terminal: Any = None

    def push(self, project: Project, files: Mapping[str, PushFile], *, everything: bool) -> PushResult:
        """Make these files the live version.

        Raises:
            Failure: an index on a large table would go and nobody agreed (`ConsentRequired`, exit 9).
            DeploymentError: refused for another reason.
        """
        try:
            return self._push(project, files, everything=everything)
        except DeploymentError as error:
            if error.code != "ConsentRequired":
                raise
            refused = error
        changes = self._harm(project, files)
        if not self._agreed(changes):
            raise _held(changes, refused) from refused
        self._given += [change["consent"] for change in changes]
        return self._push(project, files)

    def restore_terminal(self) -> None:
        """Undo what a question that was left unanswered did to the terminal."""
        if self._terminal is not None:
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._terminal)

    def _push(
        self,
        project: Project,
        files: Mapping[str, PushFile],
        *,
        everything: bool = False,
        dry_run: bool = False,
    ) -> PushResult:
        options = {
            "allow": self._given,
            "production": False,
            "largeTableDocuments": project.config.large_table_documents,
        }
        return self._client.push(
            files, project.push_config, dry_run=dry_run, everything=everything, options=options
        )

    def _harm(self, project: Project, files: Mapping[str, PushFile]) -> list[dict[str, Any]]:
        """Return the changes of this push that were not agreed to, with their sizes."""
        plan = self._push(project, files, dry_run=True).plan
        changes = [] if plan is None else plan.changes
        return [each for each in changes if each["consent"] and not covers(self._given, each["consent"])]

    def _agreed(self, changes: list[dict[str, Any]]) -> bool:
        prompts = Prompts(self._settings)
        if not changes or not self._may_ask() or not prompts.allowed():
            return not changes
        self._hold(True)
        self._remember_terminal()
        try:
            return all(
                prompts.confirm(f"{_described(change)}. Continue?", default=False, routine=False)
                for change in changes
            )
        finally:
            self._terminal = None
            self._hold(False)

    def _remember_terminal(self) -> None:
        if sys.platform != "win32":
            import termios

            self._terminal = termios.tcgetattr(sys.stdin.fileno())


def _described(change: Mapping[str, Any]) -> str:
    return f"{plan_text.singular(change['area'])} {change['name']} goes: {change['detail']}"


def _held(changes: list[dict[str, Any]], refused: DeploymentError) -> errors.Failure:
    return errors.consent(
        "; ".join(_described(change) for change in changes),
        refused.hint or "--allow=index-drop",
        data=refused.data,
    )

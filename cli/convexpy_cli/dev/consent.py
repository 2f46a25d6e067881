"""Pushing to a remote deployment from the watch loop: a large index is dropped only after a yes.

The question is asked in the terminal of `convexpy dev`, from the thread that pushes, while the log is held back. Where nobody
can be asked, or the answer is no, the push is held until files change.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from convexpy.client import AdminClient, DeploymentError, PushFile, PushResult
from convexpy.project import Project
from convexpy_cli import errors
from convexpy_cli.deploy import plan_text
from convexpy_cli.deploy.pushing import push_config
from convexpy_cli.output.prompts import Prompts

if TYPE_CHECKING:
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
            files, push_config(project), dry_run=dry_run, everything=everything, options=options
        )

    def _harm(self, project: Project, files: Mapping[str, PushFile]) -> list[dict[str, Any]]:
        """Return the changes of this push that were not agreed to, with their sizes."""
        changes = self._push(project, files, dry_run=True).answer["plan"]["changes"]
        return [change for change in changes if change["consent"] and not self._covers(change["consent"])]

    def _covers(self, consent: str) -> bool:
        return consent in self._given or consent.partition(":")[0] in self._given

    def _agreed(self, changes: list[dict[str, Any]]) -> bool:
        # --yes is for routine questions: losing an index is none.
        prompts = Prompts(replace(self._settings, yes=False))
        if not changes or not self._may_ask() or not prompts.allowed():
            return not changes
        self._hold(True)
        self._remember_terminal()
        try:
            return all(
                prompts.confirm(f"{_described(change)}. Continue?", default=False) for change in changes
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

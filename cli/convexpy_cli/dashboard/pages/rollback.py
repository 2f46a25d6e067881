"""Making an earlier version live again: what that changes, consents to what is lost, then the push."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convexpy.errors import Error
from convexpy.protocol.admin_api import PushResult
from convexpy_cli.dashboard.deployment import Deployment
from convexpy_cli.dashboard.ui.dialogs import change, described as in_words, dialog, told
from convexpy_cli.dashboard.ui.elements import button, note, tag
from convexpy_cli.dashboard.ui.fields import Field

SIGNS = {"added": "+", "removed": "-", "changed": "~"}
SHOWN = 40


async def roll_back(deployment: Deployment, version: int, done: Callable[[], object]) -> None:
    """Show the plan of a rollback; make the version live when a person agrees to it."""
    told("Loading the version to see what it changes …")
    try:
        planned = await deployment.plan_rollback(version)
    except Error as error:
        told(in_words(error), bad=True)
        return
    _Rollback(deployment, version, planned, done).open()


class _Rollback:
    """The dialog of a plan."""

    def __init__(
        self, deployment: Deployment, version: int, planned: PushResult, done: Callable[[], object]
    ) -> None:
        self._deployment, self._version, self._planned, self._done = deployment, version, planned, done
        changes = planned.plan.changes if planned.plan is not None else []
        blocked = (
            [each for each in planned.plan.blocked if each["code"] != "ConsentRequired"]
            if planned.plan
            else []
        )
        with dialog(f"Roll back to version {version}?") as self._dialog:
            tag(
                "p",
                f"{deployment.identified.name} will run the functions, schema, routes and cron jobs of version {version}.",
            )
            tag("pre", "\n".join(plan_lines(changes)), "value")
            for each in blocked:
                note(str(each["message"]), "bad")
            self._consents = {
                str(each["consent"]): Field(f"Lose {each['name']}: {each['detail']}", False, kind="checkbox")
                for each in changes
                if each.get("consent") and not blocked
            }
            self._error = note("", "bad")
            self._error.set_visibility(False)
            with tag("div", classes="ends"):
                button("Cancel", self._dialog.close)
                if not blocked:
                    button("Roll back", self._push, look="primary danger")

    def open(self) -> None:
        """Show it."""
        self._dialog.open()

    async def _push(self) -> None:
        missing = [name for name, agreed in self._consents.items() if not agreed.value]
        if missing:
            self._fail("Agree to what is lost first.")
            return
        expected = self._planned.before.version if self._planned.before is not None else self._planned.version
        pushed = await change(
            self._deployment,
            lambda: self._deployment.roll_back(self._version, expected, list(self._consents)),
            failed=self._fail,
            done=f"Version {self._version} is live again",
        )
        if pushed is not None:
            self._dialog.close()
            self._done()

    def _fail(self, text: str) -> None:
        self._error.text = text
        self._error.set_visibility(True)


def plan_lines(changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each change: `- functions notes:add`."""
    lines = [
        f"{SIGNS.get(each['kind'], '!')} {each['area']} {each['name']} {each['detail']}".rstrip()
        for each in changes
    ]
    if not lines:
        return ["Nothing changes."]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more

"""Named pause points: steps of the commit, checkpoint and push protocols where fault tests stop or kill a process.

In production `reach` is one dictionary look-up. A test process sets `CONVEXPY_PAUSE="committer.before_sync=kill"`
(several with commas) before it starts a server: `kill` ends the process as kill -9 would, `kill@3` at the third visit,
: PausePoints
`fail` raises OSError there.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


class PausePoints:
    """The pause points of one process and what happens at them."""

    def __init__(self, setting: str = "") -> None:
        self._actions: dict[str, Callable[[], None]] = {}
        for part in filter(None, setting.split(",")):
            name, _, action = part.partition("=")
            self._actions[name] = self._parse(action)

    @staticmethod
    def _parse(action: str) -> Callable[[], None]:
        verb, _, visit = action.partition("@")
        remaining = [int(visit or 1)]

        def run() -> None:
            remaining[0] -= 1
            if remaining[0] != 0:
                return
            if verb == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(f"pause point asked for a failure: {action}")

        return run

    def set(self, name: str, action: Callable[[], None] | None) -> None:
        """Call `action` whenever `name` is reached; None forgets it."""
        if action is None:
            self._actions.pop(name, None)
        else:
            self._actions[name] = action

    def reach(self, name: str) -> None:
        """Mark that the step `name` is about to happen."""
        action = self._actions.get(name)
        if action is not None:
            action()


pauses: PausePoints = PausePoints(os.environ.get("CONVEXPY_PAUSE", ""))
"""The pause points of this process."""

"""The process between base and version: it has imported what of an app nobody edits (`sandbox/forkserver.py`).

It is used for a version only if every file that it may have imported is in that version with the same content, and no
other file is new. Else the version is imported as a whole, and another trunk is made when it is live.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from convexpy.executors.fork_control import ForkControl
from convexpy.executors.forked_imports import fork_import
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.fork_messages import StartTrunk

EDITED_MAX = 8
"""People edit a few files at a time; a change of more is a checkout."""


class Edits:
    """Which files of the app have changed lately, from one version to the next."""

    def __init__(self) -> None:
        self._sources: Mapping[str, str] = {}
        self.files: list[str] = []

    def note(self, sources: Mapping[str, str]) -> None:
        """Compare a version with the one before."""
        before, self._sources = self._sources, sources
        changed = [path for path in {**before, **sources} if before.get(path) != sources.get(path)]
        if not before or len(changed) > EDITED_MAX:
            self.files = []
            return
        # Only modules: what reads a data file cannot be told.
        modules = [path for path in changed if path.endswith(".py")]
        self.files = [*(path for path in self.files if path not in modules), *modules][-EDITED_MAX:]


@dataclass(kw_only=True, eq=False)
class Trunk:
    """A trunk that has imported the files in `kept`, by path and hash; `left` are those that it has not."""

    base: ForkControl
    control: ForkControl
    settings: ExecutorSettings
    kept: Mapping[str, str]
    left: frozenset[str]

    @classmethod
    async def grow(
        cls, base: ForkControl, settings: ExecutorSettings, sources: Mapping[str, str], edited: list[str]
    ) -> Trunk:
        """Fork one from the base.

        Raises:
            ProjectError: what it is to import needs the edited files nevertheless, or does not import.
            Unavailable: no process could be started.
        """
        control, prepared = await fork_import(base, StartTrunk(settings, edited), ForkControl.expect_prepared)
        left = frozenset(prepared.left)
        return cls(base=base, control=control, settings=settings, kept=_without(sources, left), left=left)

    def fits(self, base: ForkControl, settings: ExecutorSettings, sources: Mapping[str, str]) -> bool:
        """Return whether a version can be forked from it."""
        return (
            base is self.base
            and not self.control.ended
            and _lasting(settings) == _lasting(self.settings)
            and _without(sources, self.left) == self.kept
        )


def _without(sources: Mapping[str, str], left: frozenset[str]) -> dict[str, str]:
    return {path: sha256 for path, sha256 in sources.items() if path not in left}


def _lasting(settings: ExecutorSettings) -> ExecutorSettings:
    """Return settings without what only concerns one version."""
    return msgspec.structs.replace(settings, version=0, folder="", staged_indexes=())

"""An import of an app that the server had to end, or that ended its process: the error of the push, with file and line.

Where the process was is read from the stacks that it writes into shared memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from convexpy.errors import ProjectError, SourceLocation
from convexpy.protocol import stack_dumps
from convexpy.protocol.executor_settings import IMPORT_HINT, ExecutorSettings, import_too_slow_text


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """What the import of a version may use, and the descriptor that its process writes its stacks to."""

    settings: ExecutorSettings
    stacks: int

    @property
    def seconds(self) -> float:
        """How long it may take."""
        return self.settings.knobs.import_s


def took_too_long(limits: ImportLimits, importing: str) -> ProjectError:
    """Return the error of an import that had to be killed."""
    return _failed(limits, importing, import_too_slow_text(limits.seconds))


def ended_while_importing(limits: ImportLimits, importing: str, how: str) -> ProjectError:
    """Return the error of an import that ended its process; `how` is `its process exited with status 3`."""
    what = importing or "the app"
    return _failed(limits, importing, f"{how} while {what} was imported")


def _failed(limits: ImportLimits, importing: str, text: str) -> ProjectError:
    marker = f"{limits.settings.label}/"
    places = stack_dumps.read(limits.stacks, marker)
    location = places[0][0] if places else SourceLocation(importing) if importing else None
    return ProjectError(
        text, code="ModuleLoadFailed", location=location, hint=IMPORT_HINT, data={"retryOn": "files"}
    )

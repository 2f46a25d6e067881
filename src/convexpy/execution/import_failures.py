"""An app that does not import within its limits: how it is ended, and the error of the push, with file and line.

An import that takes too long is interrupted by an alarm, so its error has the line it stood on. One that holds the interpreter
is killed by the server, which reads the line from where the process writes its stacks; so does one that ends its process.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from convexpy.errors import ProjectError, SourceLocation
from convexpy.execution import whereabouts
from convexpy.execution.settings import ExecutorSettings

CODE = "ModuleLoadFailed"


class ImportTooSlow(BaseException):
    """An alarm: no `except Exception` of a module holds it up."""


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """What the import of a version may use, and the descriptor that its process writes its stacks to."""

    settings: ExecutorSettings
    stacks: int

    @property
    def seconds(self) -> float:
        """How long it may take."""
        return self.settings.knobs.import_s


def too_slow_text(seconds: float) -> str:
    """Return the text of an import that takes too long."""
    return f"importing the app exceeded the limit import_s: {seconds:g} s"


def too_large_text(limit_bytes: int) -> str:
    """Return the text of an import that takes too much memory."""
    return f"importing the app exceeded the limit executor_memory_bytes: {limit_bytes // 2**20} MiB of memory"


@contextmanager
def limited(seconds: float) -> Generator[None]:
    """Raise `ImportTooSlow` in the main thread when the body takes longer; 0 is without limit."""

    def alarm(number: int, frame: FrameType | None) -> None:
        raise ImportTooSlow

    if not seconds or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def limit_memory(limit_bytes: int) -> None:
    """Let this process have so much more memory than it has; 0 is without limit."""
    if sys.platform != "linux":
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = hard
    if limit_bytes:
        with open("/proc/self/statm") as statm:  # noqa: PTH123 - one line of /proc
            soft = int(statm.read().split()[5]) * resource.getpagesize() + limit_bytes
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def took_too_long(limits: ImportLimits, importing: str) -> ProjectError:
    """Return the error of an import that had to be killed."""
    return _failed(limits, importing, too_slow_text(limits.seconds))


def ended_while_importing(limits: ImportLimits, importing: str, how: str) -> ProjectError:
    """Return the error of an import that ended its process; `how` is `its process exited with status 3`."""
    what = importing or "the app"
    return _failed(limits, importing, f"{how} while {what} was imported")


def _failed(limits: ImportLimits, importing: str, text: str) -> ProjectError:
    marker = f"{limits.settings.label}/"
    places = whereabouts.read(limits.stacks, marker)
    location = places[0][0] if places else SourceLocation(importing) if importing else None
    return ProjectError(text, code=CODE, location=location, hint=HINT, data={"retryOn": "files"})


HINT = "do the work in a function: modules only define functions, schema, routes and jobs"

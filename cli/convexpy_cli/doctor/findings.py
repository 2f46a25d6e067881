"""What a check says, and what a check may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from convexpy.client import AdminClient, Probe
from convexpy.errors import Error
from convexpy.project import Project, Target
from convexpy.protocol.admin_api import DeploymentStatus
from convexpy_cli.context import Context

Status = Literal["ok", "warn", "fail", "skip"]


@dataclass(frozen=True)
class Repair:
    """What `--fix` does. One that is not safe is asked for first: `question` says what it does."""

    apply: Callable[[], None]
    question: str | None = None


@dataclass(kw_only=True)
class Finding:
    """What one check found: `check` is its name by default, `fix` a command or an edit that a person can make."""

    check: str
    status: Status
    message: str
    why: str | None = None
    fix: str | None = None
    fixed: bool = False
    details: list[str] = field(default_factory=list[str])
    repair: Repair | None = None

    def to_json(self) -> dict[str, Any]:
        """Return `check status message why fix fixed details`."""
        names = ("check", "status", "message", "why", "fix", "fixed", "details")
        return {name: getattr(self, name) for name in names}


@dataclass
class Scene:
    """What there is to look at. Checks of the deployment come last and stop when it does not answer."""

    run: Context
    network: bool = False
    updates: bool = False
    project: Project = field(init=False)
    project_error: Error | None = None
    """Why there is no project, if so; checks of it are skipped then."""
    target: Target = field(init=False)
    probe: Probe = field(init=False)
    client: AdminClient = field(init=False)
    status: DeploymentStatus | None = None
    """What the deployment says about itself, once it has been asked."""
    asked_ms: float = 0.0
    """When it was asked, by the clock of this machine."""
    silent: str | None = None
    """Why the deployment can't be looked at, if so."""


Look = Callable[[Scene], Finding | Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """A check by its name. `of` says what it looks at: without that it is skipped."""

    name: str
    look: Look
    of: Literal["machine", "project", "deployment"] = "machine"


def ok(message: str, *, details: list[str] | None = None, check: str = "") -> Finding:
    """Return that a check passed."""
    return Finding(check=check, status="ok", message=message, details=details or [])


def skip(message: str, fix: str | None = None, *, check: str = "") -> Finding:
    """Return that a check does not apply."""
    return Finding(check=check, status="skip", message=message, fix=fix)


def warn(message: str, *, why: str, fix: str, repair: Repair | None = None, check: str = "") -> Finding:
    """Return something that may cause problems."""
    return Finding(check=check, status="warn", message=message, why=why, fix=fix, repair=repair)


def fail(message: str, *, why: str, fix: str, repair: Repair | None = None, check: str = "") -> Finding:
    """Return something that is broken."""
    return Finding(check=check, status="fail", message=message, why=why, fix=fix, repair=repair)

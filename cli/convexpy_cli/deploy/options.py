"""What a deploy is told, and how far it has come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from convexpy_cli.output.units import commit_text


@dataclass(frozen=True, kw_only=True)
class DeployOptions:
    """What the command line says about a deploy."""

    dry_run: bool = False
    diff: bool = False
    cmd: str | None = None
    cmd_after: str | None = None
    cmd_url_env_var: str | None = None
    typecheck: str | None = None
    codegen: str | None = None
    message: str | None = None
    actor: str | None = None
    run: str | None = None
    set_env: list[str] | None = None
    set_env_file: Path | None = None
    wait_indexes: bool = True
    index_timeout: float | None = None
    check_build_environment: str = "enable"
    push_all: bool = False
    large_indexes: bool = False
    unstaging: bool = False
    rollback: bool = False
    preview: str | None = None
    preview_create: str | None = None
    preview_run: str | None = None
    preview_expires: str | None = None
    preview_data: bool = False
    preview_env: bool = False
    version: int | None = None

    @property
    def previews(self) -> bool:
        """Whether it goes to a preview."""
        return self.preview is not None or self.preview_create is not None

    @property
    def function(self) -> str | None:
        """The function to call after the push."""
        return self.run or (self.preview_run if self.previews else None)

    @property
    def allow(self) -> tuple[str, ...]:
        """The consents that flags of the official command line stand for."""
        return ("index-drop",) * self.large_indexes + ("staged-drop",) * self.unstaging


@dataclass
class Progress:
    """How far a deploy has come, for the last line."""

    target: str = ""
    look: str = "convexpy status"
    before: str = ""
    sent: bool = False
    live: str = ""

    def last_line(self) -> str:
        """Say what serves now."""
        if self.live:
            return f'"{self.target}" now serves {self.live}'
        if self.sent:
            return f'the state of "{self.target}" is unknown; run `{self.look}`'
        if self.before:
            return f'nothing was changed: "{self.target}" still serves {self.before}'
        return f'nothing was changed on "{self.target}"' if self.target else "nothing was changed"


def version_text(version: int, commit: str, dirty: bool) -> str:
    """Return `version 7 (9bd0e77)`."""
    text = commit_text(commit, dirty)
    return f"version {version}" + (f" ({text})" if text else "")


def covers(allowed: Iterable[str], consent: str) -> bool:
    """Return whether a consent was given: for this very thing, or for its kind."""
    return any(given in (consent, consent.partition(":")[0]) for given in allowed)

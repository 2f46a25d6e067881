"""The global flags of one invocation, after flags and environment variables are joined."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

# Set by coding agents for their shells: nobody is there to answer, and transcripts are kept.
AGENT_VARIABLES = ("AI_AGENT", "CLAUDECODE", "CURSOR_AGENT", "CODEX_SANDBOX", "GEMINI_CLI")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the global flags say. `format` is one of the formats that the command has."""

    format: str = "human"
    project: str | None = None
    deployment: str | None = None
    url: str | None = None
    admin_key: str | None = None
    env_file: str | None = None
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    yes: bool = False
    allow: tuple[str, ...] = field(default=())
    no_input: bool = False
    color: str = "auto"
    timeout_s: float | None = None

    @property
    def machine(self) -> bool:
        """Whether stdout is read by a program."""
        return self.format in ("json", "jsonl")


def driven_by_agent() -> bool:
    """Return whether a coding agent runs this process."""
    return any(os.environ.get(name) for name in AGENT_VARIABLES)


def flag_from_environment(name: str) -> bool:
    """Return whether a variable such as `CI` or `CONVEXPY_NO_INPUT` is switched on."""
    return os.environ.get(name, "").lower() not in ("", "0", "false", "no")


def wants_color(settings: Settings, *, terminal: bool) -> bool:
    """Return whether a stream gets colours; `terminal` says whether it is one."""
    if settings.color != "auto":
        return settings.color == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE"):
        return True
    return terminal

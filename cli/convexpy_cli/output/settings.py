"""The global flags of one command, combined with environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convexpy_cli import errors

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

    @classmethod
    def of(cls, flags: Mapping[str, Any], formats: Sequence[str]) -> Settings:
        """Return the settings that flags and environment stand for, for a command that has these formats.

        Raises:
            Failure: the command does not have the format, or a flag has a wrong value (exit 2).
        """
        wanted = flags.get("format") or ("json" if flags.get("json") else None)
        chosen = wanted or os.environ.get("CONVEXPY_FORMAT") or "human"
        if chosen == "json" and "json" not in formats and "jsonl" in formats:
            chosen = "jsonl"
        if chosen not in formats:
            if wanted is not None:
                raise errors.usage(f"this command has no format {chosen!r}", f"formats: {', '.join(formats)}")
            chosen = "human"
        color = "never" if flags.get("no_color") else flags.get("color") or "auto"
        if color not in ("auto", "always", "never"):
            raise errors.usage(f"--color {color!r} is not auto, always or never")
        allow = [*flags.get("allow", ()), os.environ.get("CONVEXPY_ALLOW", "")]
        verbose = flags.get("verbose") or flags.get("debug") or flag_from_environment("CONVEX_VERBOSE")
        plain = ("project", "url", "admin_key", "env_file", "quiet", "debug", "yes", "no_input")
        return cls(
            format=chosen,
            deployment="prod" if flags.get("prod") else flags.get("deployment"),
            verbose=bool(verbose),
            allow=tuple(kind for text in allow for kind in text.split(",") if kind),
            color=color,
            timeout_s=flags.get("timeout"),
            **{name: flags[name] for name in plain if name in flags},
        )

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

"""Output: results on stdout, everything else on stderr, in the format that was asked for."""

from __future__ import annotations

import os
import sys

from convexpy_cli.output.interface import Output
from convexpy_cli.settings import Settings

__all__ = ["Output", "choose_output", "wants_color"]


def choose_output(settings: Settings) -> Output:
    """Return the output for these settings: JSON, plain text, or rich on a terminal."""
    if settings.machine:
        from convexpy_cli.output.json import JsonOutput

        return JsonOutput(settings)
    if settings.format in ("table", "pretty") or (settings.format == "human" and sys.stdout.isatty()):
        from convexpy_cli.output.rich import RichOutput

        return RichOutput(settings)
    from convexpy_cli.output.plain import PlainOutput

    return PlainOutput(settings)


def wants_color(settings: Settings, *, terminal: bool) -> bool:
    """Return whether a stream gets colours; `terminal` says whether it is one."""
    if settings.color != "auto":
        return settings.color == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE"):
        return True
    return terminal

"""Output: results on stdout, everything else on stderr, in the format that was asked for."""

from __future__ import annotations

import sys

from convexpy_cli.output.base import Output as Output
from convexpy_cli.output.settings import Settings


def choose_output(settings: Settings) -> Output:
    """Return the output for these settings: JSON, plain text, or rich on a terminal."""
    if settings.machine:
        from convexpy_cli.output.json import JsonOutput

        return JsonOutput(settings)
    seen = sys.stdout.isatty() or settings.color == "always"
    if settings.format in ("table", "pretty") or (settings.format == "human" and seen):
        from convexpy_cli.output.rich import RichOutput

        return RichOutput(settings)
    return Output(settings)

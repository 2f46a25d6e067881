"""A plan as people read it: one line for each change, signs for added, changed and removed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convexpy_cli.output.settings import Settings

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "missing": "!", "unset": "!"}
_STYLES = {"+": "green", "-": "red", "~": "yellow", "!": "bold yellow"}
_AREAS = ("functions", "schema", "indexes", "http", "crons", "auth", "env", "modules")
MODULES_SHOWN = 8
NAME_WIDTH_MAX = 40


@dataclass(frozen=True)
class Line:
    """A line of the plan; `style` is that of its sign."""

    text: str
    style: str = ""


def singular(area: str) -> str:
    """Return what one thing of an area of the plan is called."""
    return "index" if area == "indexes" else area.removesuffix("s")


def plan_lines(
    changes: Sequence[Mapping[str, Any]], *, covered: frozenset[str], diff: bool
) -> Iterator[Line]:
    """Yield the changes; `covered` are the consents that were given."""
    if not changes:
        yield Line("  nothing changes")
    for area in _AREAS:
        group = [change for change in changes if change["area"] == area]
        shown = group[:MODULES_SHOWN] if area == "modules" else group
        width = min(NAME_WIDTH_MAX, max((len(change["name"]) for change in shown), default=0))
        compared: set[tuple[str, str]] = set()
        for number, change in enumerate(shown):
            yield _line(area if number == 0 else "", change, width, covered)
            lines = (change.get("before", ""), change.get("after", ""))
            if diff and any(lines) and lines not in compared:
                compared.add(lines)
                yield from _difference(*lines)
        if len(group) > len(shown):
            yield Line(f"  {'':<12}  and {len(group) - len(shown)} more")


def _line(area: str, change: Mapping[str, Any], width: int, covered: frozenset[str]) -> Line:
    sign = _SIGNS[change["kind"]]
    text = f"  {area:<12}{sign} {change['name']:<{width}}  {change['detail']}".rstrip()
    consent = change["consent"]
    if consent:
        text += f"  (--allow={consent})" if consent in covered else f"  needs --allow={consent}"
    return Line(text, _STYLES[sign])


def _difference(before: str, after: str) -> Iterator[Line]:
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        if not line.startswith("?"):
            yield Line(f"{'':<18}{line}", _STYLES.get(line[:1], "dim"))


def show(settings: Settings, lines: Sequence[Line]) -> None:
    """Write the plan to stderr, in colours where they are wanted."""
    import sys

    from convexpy_cli.output import masking
    from convexpy_cli.output.settings import wants_color

    if not wants_color(settings, terminal=sys.stderr.isatty()):
        sys.stderr.write("".join(masking.mask(line.text) + "\n" for line in lines))
        sys.stderr.flush()
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stderr, force_terminal=True, highlight=False, soft_wrap=True)
    for line in lines:
        text = Text(masking.mask(line.text))
        if line.style:
            is_change = line.text[14:15] in _STYLES
            text.stylize(line.style, 14 if is_change else 0, 15 if is_change else None)
        console.print(text)

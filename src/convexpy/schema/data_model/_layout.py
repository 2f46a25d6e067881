"""How generated code is broken into lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def signature(
    head: str, groups: Sequence[Sequence[str]], result: str, *, width: int, indent: str = ""
) -> list[str]:
    """Return the lines of a stub's `def`.

    `head` is all before the parenthesis. The parameters stay on the line of `def` if they fit, else they get
    one line of their own, else each group starts a line.
    """
    parameters = [parameter for group in groups for parameter in group]
    end = f") -> {result}: ..."
    one = f"{indent}{head}({', '.join(parameters)}{end}"
    if len(one) <= width:
        return [one]
    inner = f"{indent}    {', '.join(parameters)}"
    if len(inner) <= width - 1:
        return [f"{indent}{head}(", inner, f"{indent}{end}"]
    lines = [f"{indent}{head}("]
    for group in groups:
        lines += filled(group, width=width, indent=indent + "    ")
    return [*lines, f"{indent}{end}"]


def filled(items: Iterable[str], *, width: int, indent: str) -> list[str]:
    """Return the items with commas after them, as many on a line as fit."""
    lines: list[str] = []
    current = ""
    for item in items:
        longer = f"{current} {item}," if current else f"{indent}{item},"
        if current and len(longer) > width:
            lines.append(current)
            longer = f"{indent}{item},"
        current = longer
    return [*lines, current] if current else lines


def import_lines(module: str, names: Iterable[str], *, width: int) -> list[str]:
    """Return `from module import …`, sorted, in parentheses if it is long; nothing without names."""
    ordered = sorted(set(names))
    if not ordered:
        return []
    one = f"from {module} import {', '.join(ordered)}"
    if len(one) <= width:
        return [one]
    return [f"from {module} import (", *(f"    {name}," for name in ordered), ")"]


def assignment(head: str, parts: Sequence[str], *, width: int) -> list[str]:
    """Return `head = a | b`, one part a line if it is long."""
    one = f"{head} = {' | '.join(parts)}"
    if len(one) <= width:
        return [one]
    return [f"{head} = (", f"    {parts[0]}", *(f"    | {part}" for part in parts[1:]), ")"]


def literal(words: Iterable[str]) -> str:
    """Return `Literal["a", "b"]` for strings."""
    return f"Literal[{', '.join(quoted(word) for word in words)}]"


def quoted(text: str) -> str:
    """Return a string literal in double quotes, ASCII only."""
    body = ascii(text)[1:-1].replace("\\'", "'")
    return '"' + body.replace('"', '\\"') + '"' if '"' in text and '\\"' not in body else f'"{body}"'

"""How generated TypeScript is broken into lines: the way prettier does with its defaults.

A text is described by parts that may be broken (`Group`); `print_lines` breaks a group when what it holds, with
whatever follows up to the next possible break, does not fit. Functions below make the forms of types that the
generated files need.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

WIDTH = 80
_STEP = 2


@dataclass(frozen=True)
class Line:
    """A place for a new line: a space (or nothing, if `soft`) while its group is on one line."""

    soft: bool = False


@dataclass(frozen=True)
class IfBroken:
    """Text that is there only if its group is broken."""

    text: str


@dataclass(frozen=True)
class Indent:
    """Lines that begin inside of `inner` are indented further."""

    inner: Layout


@dataclass(frozen=True)
class Group:
    """Is on one line, or broken at every line of its own. `broken` says that it always is."""

    inner: Layout
    broken: bool = False


Layout: TypeAlias = "str | Line | IfBroken | Indent | Group | tuple[Layout, ...]"
_Command: TypeAlias = tuple[int, bool, Layout]  # indentation, flat, what to print

LINE = Line()
SOFT = Line(soft=True)


def print_lines(layout: Layout, width: int = WIDTH) -> str:
    """Return the text, broken into lines of at most `width` columns where that is possible."""
    out: list[str] = []
    column = 0
    commands: list[_Command] = [(0, False, layout)]
    while commands:
        indent, flat, each = commands.pop()
        if isinstance(each, str):
            out.append(each)
            column += columns(each)
        elif isinstance(each, tuple):
            commands += [(indent, flat, part) for part in reversed(each)]
        elif isinstance(each, Indent):
            commands.append((indent + _STEP, flat, each.inner))
        elif isinstance(each, Group):
            on_one_line = flat or (not each.broken and _fits(each.inner, commands, width - column))
            commands.append((indent, on_one_line, each.inner))
        elif isinstance(each, IfBroken):
            commands += [] if flat else [(indent, flat, each.text)]
        elif flat:
            out.append("" if each.soft else " ")
            column += 0 if each.soft else 1
        else:
            out[-1] = out[-1].rstrip(" ")
            out.append("\n" + " " * indent)
            column = indent
    return "".join(out)


def _fits(inner: Layout, rest: Sequence[_Command], room: int) -> bool:
    """Return whether `inner` on one line, and what follows it up to a line break, is not too long."""
    following = len(rest)
    commands: list[tuple[bool, Layout]] = [(True, inner)]
    while room >= 0:
        if not commands:
            if following == 0:
                return True
            following -= 1
            commands.append(rest[following][1:])
        flat, each = commands.pop()
        if isinstance(each, str):
            room -= columns(each)
        elif isinstance(each, tuple):
            commands += [(flat, part) for part in reversed(each)]
        elif isinstance(each, Indent):
            commands.append((flat, each.inner))
        elif isinstance(each, Group):
            commands.append((flat and not each.broken, each.inner))
        elif isinstance(each, IfBroken):
            commands += [] if flat else [(flat, each.text)]
        elif not flat:
            return True
        else:
            room -= 0 if each.soft else 1
    return False


def columns(text: str) -> int:
    """Return how wide a text is; characters of East Asian scripts take two columns."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def joined(parts: Sequence[Layout], *between: Layout) -> Layout:
    """Return the parts with something between them."""
    found: list[Layout] = []
    for number, part in enumerate(parts):
        found += [*between, part] if number else [part]
    return tuple(found)


def braces(members: Sequence[Layout], *, broken: bool = False) -> Layout:
    """Return an object type; `broken` puts every member on a line of its own, however short it is."""
    if not members:
        return "{}"
    inner = Indent((LINE, joined(members, ";", LINE)))
    return Group(("{", inner, IfBroken(";"), LINE, "}"), broken=broken)


def generic(name: str, arguments: Sequence[Layout], *, hug: bool = False) -> Layout:
    """Return `name<…>`; with `hug` the brackets stay where the one argument begins and ends."""
    if hug:
        return (f"{name}<", *arguments, ">")
    return Group((f"{name}<", Indent((SOFT, joined(arguments, ",", LINE))), SOFT, ">"))


def tuple_of(items: Sequence[Layout]) -> Layout:
    """Return `[a, b]`."""
    return Group(("[", Indent((SOFT, joined(items, ",", LINE))), IfBroken(","), SOFT, "]"))


def intersection(reference: Layout, tree: Layout) -> Layout:
    """Return `reference & {…}`."""
    return (reference, " & ", tree)


def imports(names: Mapping[str, Collection[str]]) -> str:
    """Return the lines that import types, by module; modules without names are left out."""
    lines = [
        print_lines((_import_of(wanted), f" from {quoted(module)};\n"))
        for module, wanted in names.items()
        if wanted
    ]
    return "".join(lines)


def _import_of(names: Collection[str]) -> Layout:
    inner = Indent((LINE, joined(sorted(names), ",", LINE)))
    return Group(("import type {", inner, IfBroken(","), LINE, "}"))


def key(name: str) -> str:
    """Return a name as the key of an object, in quotes if it needs them."""
    return name if name.replace("$", "_").isidentifier() else quoted(name)


def quoted(text: str) -> str:
    """Return a string literal, in the quotes that need fewer escapes; double ones if both need the same."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    body = text.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    return quote + re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029]", _escaped, body) + quote


def _escaped(found: re.Match[str]) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return short.get(found[0], f"\\u{ord(found[0]):04x}")

"""The text of types in TypeScript: plain and stable, a type on one line, a member of a tree on a line of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence


def block(members: Iterable[str]) -> str:
    """Return an object type with a line for each member; members may have several lines."""
    lines = [f"  {line}" for member in members for line in f"{member};".split("\n")]
    return "\n".join(["{", *lines, "}"]) if lines else "{}"


def braces(members: Sequence[str]) -> str:
    """Return an object type on one line."""
    return f"{{ {'; '.join(members)} }}" if members else "{}"


def imports(names: Mapping[str, Collection[str]]) -> str:
    """Return the lines that import types, by module; modules without names are left out."""
    return "".join(
        f"import type {{ {', '.join(sorted(wanted))} }} from {quoted(module)};\n"
        for module, wanted in names.items()
        if wanted
    )


def key(name: str) -> str:
    """Return a name as the key of an object, in quotes if it needs them."""
    return name if name.replace("$", "_").isidentifier() else quoted(name)


def quoted(text: str) -> str:
    """Return a string literal in double quotes."""
    body = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029]", _escaped, body) + '"'


def _escaped(found: re.Match[str]) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return short.get(found[0], f"\\u{ord(found[0]):04x}")

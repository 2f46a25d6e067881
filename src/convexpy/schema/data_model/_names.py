"""Names in generated code: of tables, fields and functions, and which of them Python can write."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable

_BUILTINS = frozenset(dir(builtins))


def pascal(name: str) -> str:
    """Return `ChecklistItems` for `checklistItems` and for `checklist_items`."""
    return "".join(part[:1].upper() + part[1:] for part in name.replace("/", "_").split("_"))


def is_name(text: str) -> bool:
    """Return whether Python can use `text` as a name of an attribute or a parameter."""
    return text.isidentifier() and not keyword.iskeyword(text)


def fits_class_body(field: str, used: Iterable[str]) -> bool:
    """Return whether a TypedDict in class syntax can have this field.

    A field that is called like a builtin, or like a name in the annotations (`used`), would hide it there.
    """
    return is_name(field) and field not in _BUILTINS and field not in used and not field.startswith("__")


class UniqueNames:
    """Gives out names, with a number where one is taken."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, wanted: str) -> str:
        """Return `wanted`, or `wanted2`, `wanted3` and so on."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}{number}"
        self._taken.add(name)
        return name

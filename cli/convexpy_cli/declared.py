"""What commands declare, read without running them: flags, arguments, formats. For completion and the reference page."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from convexpy_cli import table
from convexpy_cli.options import GLOBALS, Leaf


@dataclass(frozen=True)
class Parameter:
    """One flag or argument: its names (none for an argument), what stands for its value, its help."""

    names: tuple[str, ...]
    metavar: str
    help: str
    is_global: bool = False

    @property
    def takes_value(self) -> bool:
        """Whether a value follows."""
        return bool(self.metavar)


@dataclass(frozen=True)
class Declared:
    """One command with everything that its help tells."""

    name: str
    group: str
    summary: str
    text: str
    formats: tuple[str, ...]
    examples: tuple[str, ...]
    parameters: tuple[Parameter, ...]

    @property
    def own(self) -> list[Parameter]:
        """The parameters that are not global."""
        return [each for each in self.parameters if not each.is_global]


def commands() -> Iterator[Declared]:
    """Yield every command in the order of the table."""
    for name in table.COMMANDS:
        yield declared(name)


def declared(name: str) -> Declared:
    """Return what one command declares."""
    command = table.COMMANDS[name]
    leaf: Leaf = getattr(importlib.import_module(command.module), command.attribute)
    own = list(inspect.signature(leaf.function).parameters.values())[1:]
    hints = get_type_hints(leaf.function, include_extras=True)
    parameters = [_parameter(each.name, hints[each.name]) for each in own]
    taken = {each.name for each in own}
    parameters += [
        _parameter(each, annotation, is_global=True)
        for each, (annotation, _) in GLOBALS.items()
        if each not in taken
    ]
    text = inspect.getdoc(leaf.function) or ""
    shown = tuple(each for each in parameters if each is not None)
    return Declared(name, command.group, command.help, text, leaf.formats, leaf.examples, shown)


def _parameter(name: str, annotation: Any, *, is_global: bool = False) -> Parameter | None:
    kind, info = get_args(annotation)[:2]
    if getattr(info, "hidden", False):
        return None
    given = (info.default, *(info.param_decls or ()))
    names = tuple(part for each in given if isinstance(each, str) for part in each.split("/"))
    flags = tuple(each for each in names if each.startswith("-"))
    plain = re.sub(r"\s*\|\s*None", "", str(kind)) if not isinstance(kind, type) else kind.__name__
    is_switch = plain in ("bool", "<class 'bool'>") or kind is bool
    metavar = str(info.metavar or ("" if is_switch else name.strip("_").replace("_", "-").upper()))
    return Parameter(flags, metavar, (info.help or "").strip(), is_global)

"""Which functions an app has, and their paths.

A function belongs to the module whose import made it: the loader says which module is being imported,
decorators note it. Once all modules are imported, `collect` gives every function its path and reads its
signature.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from convexpy.errors import ProjectError
from convexpy.functions._definition import FunctionDefinition
from convexpy.functions._references import canonical_path
from convexpy.functions._signature import camel_case


class _Imports(threading.local):
    """The modules being imported, outermost first."""

    def __init__(self) -> None:
        self.stack: list[str] = []


_imports = _Imports()
_made: dict[str, list[FunctionDefinition]] = {}


@contextmanager
def importing(module_name: str) -> Generator[None]:
    """Say that a module is being imported, by the name that `collect` will know it by. Imports nest.

    What an earlier import of the module made is forgotten.
    """
    _made[module_name] = []
    _imports.stack.append(module_name)
    try:
        yield
    finally:
        _imports.stack.pop()


def current_module() -> str | None:
    """Return the innermost module that is being imported."""
    return _imports.stack[-1] if _imports.stack else None


def note(definition: FunctionDefinition) -> None:
    """Remember a function for the module being imported."""
    if definition.module is not None:
        _made.setdefault(definition.module, []).append(definition)


def collect(modules: Mapping[str, ModuleType], *, camel: bool = False) -> dict[str, FunctionDefinition]:
    """Return the functions of imported modules by path, with paths set and signatures read.

    `modules` has the modules by their path: `"messages"`, `"sessions/queries"`. With `camel`, names of
    functions and of their arguments are published in camel case, but for those given by `name=` and
    `v.arg`.

    Raises:
        ProjectError: a function makes no sense, or two have one path; with the place.
    """
    found: dict[str, FunctionDefinition] = {}
    for module_name, module in modules.items():
        for name, definition in _named(module_name, module, camel):
            _add(found, f"{module_name}:{name}", definition)
    for definition in found.values():
        definition.resolve(camel=camel)
    return found


def _named(module_name: str, module: ModuleType, camel: bool) -> Generator[tuple[str, FunctionDefinition]]:
    """Yield the functions of a module with their names, in the order of its source."""
    seen: set[int] = set()
    for variable, value in list(vars(module).items()):
        definition = _definition_in(value)
        if definition is None or not _belongs(definition, module_name, module):
            continue
        if definition.name is not None and id(definition) in seen:
            continue
        seen.add(id(definition))
        yield definition.name or (camel_case(variable) if camel else variable), definition
    for definition in _made.get(module_name, ()):
        if definition.name is not None and id(definition) not in seen:
            yield definition.name, definition


def _definition_in(value: Any) -> FunctionDefinition | None:
    # Not getattr: a module's variable may be anything, also something that answers to every name.
    found = getattr(value, "__dict__", {}).get("definition") if not isinstance(value, type) else None
    return found if isinstance(found, FunctionDefinition) else None


def _belongs(definition: FunctionDefinition, module_name: str, module: ModuleType) -> bool:
    if definition.module is not None:
        return definition.module == module_name
    return bool(getattr(definition.handler, "__module__", None) == module.__name__)


def _add(found: dict[str, FunctionDefinition], path: str, definition: FunctionDefinition) -> None:
    if canonical_path(path) != path:
        raise ProjectError(f"{path!r} cannot be the path of a function", location=definition.location)
    other = found.get(path)
    if other is not None and other is not definition:
        raise ProjectError(
            f"two functions have the path {path!r}: {other.location} and {definition.location}",
            location=definition.location,
        )
    found[path] = definition
    definition.path = path

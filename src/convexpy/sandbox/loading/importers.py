"""Which modules of an app may need others, told by the names in their compiled code, without importing anything.

What is told is too much rather than too little: a module that has `messages` as a name anywhere counts as one that imports
`messages`. A module that could import by a name which is not in its code counts as one that needs everything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import CodeType

_IMPORTS_BY_STRING = frozenset({"__import__", "eval", "exec", "import_module", "modules", "pkgutil"})


def module_of(file: str) -> str:
    """Return `"sessions/queries"` for `"sessions/queries.py"`, `"sessions"` for `"sessions/__init__.py"`."""
    return file.removesuffix(".py").removesuffix("/__init__")


def needing(wanted: Collection[str], codes: Mapping[str, CodeType | None]) -> set[str]:
    """Return the modules that are wanted or may need one that is, directly or through others.

    `codes` has the code of each module; None for one that does not compile, which is left out of everything, too.
    """
    names = {module: _names(code) for module, code in codes.items() if code is not None}
    found = {
        module
        for module in codes
        if module not in names or module in wanted or names[module] & _IMPORTS_BY_STRING
    }
    words = {_last(module) for module in {*found, *wanted}}
    grows = True
    while grows:
        if "schema" in words:
            words.add("data_model")  # of `_generated`, which is made of the schema
        more = {
            module
            for module in names.keys() - found
            if names[module] & words or any(module.startswith(f"{package}/") for package in (*found, *wanted))
        }
        found |= more
        words.update(map(_last, more))
        grows = bool(more)
    return found


def _last(module: str) -> str:
    return module.rpartition("/")[2]


def _names(code: CodeType) -> set[str]:
    """Return every name in a module's code, those of its functions included; dotted ones in parts."""
    found = {part for name in code.co_names for part in name.split(".")}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
    return found

"""System functions: the server's own reads and writes, run by the same executors over the same transactions.

Their paths begin with `_system/`; only admins and the server itself reach them. What each takes and returns is in
`protocol.system`.
"""

from convexpy.sandbox.system import (
    crons,
    data,
    description,
    exports,
    files,
    imports,
    keys,
    pushes,
    scheduling,
    shell,
    variables,
)
from convexpy.sandbox.system._registry import HANDLERS, handles, run

__all__ = [
    "HANDLERS",
    "crons",
    "data",
    "description",
    "exports",
    "files",
    "handles",
    "imports",
    "keys",
    "pushes",
    "run",
    "scheduling",
    "shell",
    "variables",
]

"""System calls: the functions of the engine itself that the server, tools and the official clients call by a path.

One module for each noun; each call is a Struct with its path, whose generic parameter is the type of the result.
"""

from __future__ import annotations

from typing import Any

from convexpy.protocol.system import (
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
from convexpy.protocol.system._call import (
    Operation,
    SystemCall,
    SystemMutation,
    SystemQuery,
    decode_call,
    encode_plain,
)

__all__ = [
    "SYSTEM_CALLS",
    "Operation",
    "SystemCall",
    "SystemMutation",
    "SystemQuery",
    "crons",
    "data",
    "decode_call",
    "description",
    "encode_plain",
    "exports",
    "files",
    "imports",
    "keys",
    "pushes",
    "scheduling",
    "shell",
    "variables",
]

_all: list[type[SystemCall[Any]]] = [*SystemQuery.__subclasses__(), *SystemMutation.__subclasses__()]
SYSTEM_CALLS = {call.path: call for call in _all}
"""Every system call by its path."""

"""System calls: the functions of the engine itself that the server, tools and the official clients call by a path.

One module for each noun; each call is a Struct with its path, whose generic parameter is the type of the result.
"""

from __future__ import annotations

from typing import Any

from convexpy.protocol.system import (
    crons as crons,
    data as data,
    description as description,
    exports as exports,
    files as files,
    imports as imports,
    keys as keys,
    pushes as pushes,
    scheduling as scheduling,
    shell as shell,
    signing_keys as signing_keys,
    variables as variables,
)
from convexpy.protocol.system._call import (
    Operation as Operation,
    SystemCall as SystemCall,
    SystemMutation as SystemMutation,
    SystemQuery as SystemQuery,
    decode_call as decode_call,
    encode_plain as encode_plain,
)

_all: list[type[SystemCall[Any]]] = [*SystemQuery.__subclasses__(), *SystemMutation.__subclasses__()]
SYSTEM_CALLS = {call.path: call for call in _all}
"""Every system call by its path."""

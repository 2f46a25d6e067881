"""System functions: the server's own reads and writes, run by the same executors over the same transactions.

Their paths begin with `_system/`; only admins and the server itself reach them. What each takes and returns is in
`protocol.system`.
"""

from convexpy.sandbox.system import (
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
from convexpy.sandbox.system._registry import (
    HANDLERS as HANDLERS,
    handles as handles,
    prepare as prepare,
    run as run,
)

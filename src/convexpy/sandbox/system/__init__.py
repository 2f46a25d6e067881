"""System functions: the server's own reads and writes, run by the same executors over the same transactions.

Paths begin with `_system/`; only admins and the server itself reach them.
"""

from __future__ import annotations

from typing import Any

from convexpy.errors import FunctionNotFound
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system import (
    browsing,
    cron_documents,
    environment,
    evaluation,
    exports,
    imports,
    inspection,
    keys,
    push,
    scheduling,
    sources,
    storage,
    tables,
)

FUNCTIONS = {
    **browsing.FUNCTIONS,
    **cron_documents.FUNCTIONS,
    **environment.FUNCTIONS,
    **evaluation.FUNCTIONS,
    **exports.FUNCTIONS,
    **imports.FUNCTIONS,
    **inspection.FUNCTIONS,
    **keys.FUNCTIONS,
    **push.FUNCTIONS,
    **scheduling.FUNCTIONS,
    **sources.FUNCTIONS,
    **storage.FUNCTIONS,
    **tables.FUNCTIONS,
}


def run(path: str, context: CallContext, args: dict[str, Any]) -> Any:
    """Run a system function; return its plain result.

    Raises:
        FunctionNotFound: there is none of that path.
    """
    function = FUNCTIONS.get(path.removesuffix(":default"))
    if function is None:
        raise FunctionNotFound(f"Could not find function for '{path}'.")
    context.transaction.is_privileged = True
    return function(context, args)

"""The deployment's signing keys as documents of `_signing_keys`; what is secret in them is sealed by the server."""

from __future__ import annotations

import msgspec

from convexpy.functions import QueryPlan
from convexpy.protocol.system import signing_keys as calls
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles

TABLE = "_signing_keys"


@handles(calls.StoreSigningKeys)
def store(context: CallContext, call: calls.StoreSigningKeys) -> None:
    for known in list(context.transaction.stream(QueryPlan(TABLE, system=True))):
        context.transaction.system_delete(TABLE, known["_id"])
    for key in call.keys:
        context.transaction.system_insert(TABLE, msgspec.to_builtins(key))

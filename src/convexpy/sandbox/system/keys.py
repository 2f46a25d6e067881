"""Records of admin keys as documents of `_admin_keys`; the keys themselves are nowhere."""

from __future__ import annotations

from convexpy.errors import Error
from convexpy.functions import QueryPlan
from convexpy.protocol.system import keys as calls
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.values import Document

TABLE = "_admin_keys"
COUNT_MAX = 1000


def _find(context: CallContext, key_id: str) -> Document | None:
    return context.transaction.first(QueryPlan(TABLE, "by_key_id", equal=(("keyId", key_id),), system=True))


@handles(calls.CreateKey)
def create(context: CallContext, call: calls.CreateKey) -> None:
    _create(context, call.record)


def _create(context: CallContext, record: Document) -> None:
    known = list(context.transaction.stream(QueryPlan(TABLE, system=True)))
    if any(other["name"] == record["name"] for other in known):
        raise Error(f"there is a key named {record['name']!r} already", code="KeyNameTaken")
    if len(known) >= COUNT_MAX:
        raise Error(f"more than {COUNT_MAX} keys", code="TooManyKeys")
    context.transaction.system_insert(TABLE, record)


@handles(calls.RevokeKey)
def revoke(context: CallContext, call: calls.RevokeKey) -> None:
    record = _find(context, call.key_id)
    if record is not None:
        context.transaction.system_delete(TABLE, record["_id"])


@handles(calls.RotateKey)
def rotate(context: CallContext, call: calls.RotateKey) -> None:
    # The name is free, since the two change places in one transaction.
    old = call.old
    record = _find(context, old.key_id)
    if record is None:
        raise Error("the key was revoked meanwhile", code="KeyNotFound")
    changes = {"name": old.name, "expiresAt": old.expires_at}
    context.transaction.system_patch(TABLE, record["_id"], changes)
    _create(context, call.new)


@handles(calls.NoteKeyUse)
def used(context: CallContext, call: calls.NoteKeyUse) -> None:
    record = _find(context, call.key_id)
    if record is not None:
        context.transaction.system_patch(TABLE, record["_id"], {"lastUsedAt": call.at})

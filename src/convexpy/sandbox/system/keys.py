"""Records of admin keys as documents of `_admin_keys`; the keys themselves are nowhere."""

from __future__ import annotations

from typing import Any

from convexpy.errors import Error
from convexpy.functions import QueryPlan
from convexpy.sandbox.host import CallContext

TABLE = "_admin_keys"
COUNT_MAX = 1000


def _find(context: CallContext, key_id: str) -> dict[str, Any] | None:
    return context.transaction.first(QueryPlan(TABLE, "by_key_id", equal=(("keyId", key_id),), system=True))


def create(context: CallContext, args: dict[str, Any]) -> None:
    """Keep the record of a new key; its name must be free."""
    known = list(context.transaction.stream(QueryPlan(TABLE, system=True)))
    if any(record["name"] == args["name"] for record in known):
        raise Error(f"there is a key named {args['name']!r} already", code="KeyNameTaken")
    if len(known) >= COUNT_MAX:
        raise Error(f"more than {COUNT_MAX} keys", code="TooManyKeys")
    context.transaction.system_insert(TABLE, args)


def revoke(context: CallContext, args: dict[str, Any]) -> None:
    """Forget a key."""
    record = _find(context, args["keyId"])
    if record is not None:
        context.transaction.system_delete(TABLE, record["_id"])


def rotate(context: CallContext, args: dict[str, Any]) -> None:
    """Keep the record of a new key under the name of an old one, which gets another name and an end.

    The name is free, since the two change places in one transaction.
    """
    old = args["old"]
    record = _find(context, old["keyId"])
    if record is None:
        raise Error("the key was revoked meanwhile", code="KeyNotFound")
    changes = {"name": old["name"], "expiresAt": old["expiresAt"]}
    context.transaction.system_patch(TABLE, record["_id"], changes)
    create(context, args["new"])


def used(context: CallContext, args: dict[str, Any]) -> None:
    """Note when a key was last used."""
    record = _find(context, args["keyId"])
    if record is not None:
        context.transaction.system_patch(TABLE, record["_id"], {"lastUsedAt": args["at"]})


FUNCTIONS = {
    "_system/keys:create": create,
    "_system/keys:revoke": revoke,
    "_system/keys:rotate": rotate,
    "_system/keys:used": used,
}

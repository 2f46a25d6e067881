"""What can be told of environment variables without telling them."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import msgspec

from convexpy.auth import SERVER_ACCESS, Caller
from convexpy.errors import Error
from convexpy.services.variables.service import LISTING
from convexpy.values import encode_wire

if TYPE_CHECKING:
    from convexpy.deployment.deployment import Deployment

FINGERPRINT_LENGTH = 4


async def described_variables(deployment: Deployment) -> list[dict[str, Any]]:
    """Return `name updatedAt length fingerprint` of every variable, sorted by name.

    The fingerprint is keyed by the deployment's secret: it shows whether a value is the one from before, and nothing else.
    """
    caller = Caller(access=SERVER_ACCESS)
    outcome = await deployment.functions.run("query", LISTING, encode_wire({}), caller)
    if outcome.failure is not None:
        raise Error(outcome.failure.detail, code=outcome.failure.code)
    secret = deployment.settings.instance_secret
    return [
        {
            "name": found["name"],
            "updatedAt": found.get("updatedAt", found["_creationTime"]),
            "length": len(found["value"]),
            "fingerprint": fingerprint(secret, found["name"], found["value"]),
        }
        for found in sorted(msgspec.json.decode(outcome.value), key=lambda each: str(each["name"]))
    ]


def fingerprint(secret: str, name: str, value: str) -> str:
    """Return a few hex digits that change with the value."""
    message = f"variable\0{name}\0{value}".encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()[:FINGERPRINT_LENGTH]

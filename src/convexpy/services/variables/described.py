"""What can be told of environment variables without telling them."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec

from convexpy.engine.system_functions import SystemFunctions
from convexpy.services.variables.service import LISTING, Variables
from convexpy.values import encode_wire

FINGERPRINT_LENGTH = 4


async def described_variables(
    system: SystemFunctions, variables: Variables, secret: str
) -> list[dict[str, Any]]:
    """Return `name updatedAt length fingerprint` of every variable, sorted by name.

    The fingerprint is keyed by `secret`, the deployment's: it shows whether a value is the one from before, and nothing else.
    """
    outcome = await system.query(LISTING, encode_wire({}))
    return [
        {
            "name": found["name"],
            "updatedAt": found.get("updatedAt", found["_creationTime"]),
            "length": len(found["value"]),
            "fingerprint": fingerprint(secret, found["name"], found["value"]),
        }
        for found in sorted(
            msgspec.json.decode(variables.opened(LISTING, outcome.value)), key=lambda each: str(each["name"])
        )
    ]


def fingerprint(secret: str, name: str, value: str) -> str:
    """Return a few hex digits that change with the value."""
    message = f"variable\0{name}\0{value}".encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()[:FINGERPRINT_LENGTH]

"""What can be told of environment variables without telling them."""

from __future__ import annotations

import hashlib
import hmac

from convexpy.engine.system_functions import SystemFunctions
from convexpy.protocol.admin_api import VariableInfo
from convexpy.protocol.system.variables import ListVariables
from convexpy.services.variables.service import Variables

FINGERPRINT_LENGTH = 4


async def described_variables(
    system: SystemFunctions, variables: Variables, secret: str
) -> list[VariableInfo]:
    """Return what can be told of every variable, sorted by name.

    The fingerprint is keyed by `secret`, the deployment's: it shows whether a value is the one from before, and nothing else.
    """
    described: list[VariableInfo] = []
    for found in await system.run(ListVariables()):
        name = found["name"]
        value = variables.open(name, found["value"])
        described.append(
            VariableInfo(
                name=name,
                updated_at=found.get("updatedAt") or found["_creationTime"],
                length=len(value),
                fingerprint=fingerprint(secret, name, value),
            )
        )
    return described


def fingerprint(secret: str, name: str, value: str) -> str:
    """Return a few hex digits that change with the value."""
    message = f"variable\0{name}\0{value}".encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()[:FINGERPRINT_LENGTH]

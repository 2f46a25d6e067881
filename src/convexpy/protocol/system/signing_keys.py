"""The keys with which the deployment signs tokens of its own: stored sealed, opened by the server alone."""

from __future__ import annotations

import msgspec

from convexpy.protocol.system._call import SystemMutation


class SealedKey(msgspec.Struct, rename="camel", frozen=True):
    """A signing key as it is stored. Times are milliseconds since the epoch."""

    key_id: str
    sealed: str
    created_at: float
    retired_at: float | None = None


class StoreSigningKeys(SystemMutation[None], path="_system/signing_keys:store"):
    """Keep these keys in the place of those that are stored."""

    keys: list[SealedKey]

"""Records of admin keys; the keys themselves are not stored."""

from __future__ import annotations

import msgspec

from convexpy.protocol.system._call import SystemMutation
from convexpy.values import Document


class CreateKey(SystemMutation[None], path="_system/keys:create"):
    """Keep the record of a new key; its name must be free."""

    record: Document


class RevokeKey(SystemMutation[None], path="_system/keys:revoke"):
    """Forget a key."""

    key_id: str


class EndingKey(msgspec.Struct, rename="camel"):
    """What changes of a key that is rotated."""

    key_id: str
    name: str
    expires_at: float | None


class RotateKey(SystemMutation[None], path="_system/keys:rotate"):
    """Keep the record of a new key under the name of an old one, which gets another name and an end."""

    old: EndingKey
    new: Document


class NoteKeyUse(SystemMutation[None], path="_system/keys:used"):
    """Note when a key was last used, in milliseconds."""

    key_id: str
    at: float

"""Records of admin keys; the keys themselves are not stored."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from convexpy.protocol.system._call import SystemMutation
from convexpy.values import Document


class CreateKey(SystemMutation[None]):
    """Keep the record of a new key; its name must be free."""

    path: ClassVar[str] = "_system/keys:create"
    record: Document


class RevokeKey(SystemMutation[None]):
    """Forget a key."""

    path: ClassVar[str] = "_system/keys:revoke"
    key_id: str


class EndingKey(msgspec.Struct, rename="camel"):
    """What changes of a key that is rotated."""

    key_id: str
    name: str
    expires_at: float | None


class RotateKey(SystemMutation[None]):
    """Keep the record of a new key under the name of an old one, which gets another name and an end."""

    path: ClassVar[str] = "_system/keys:rotate"
    old: EndingKey
    new: Document


class NoteKeyUse(SystemMutation[None]):
    """Note when a key was last used, in milliseconds."""

    path: ClassVar[str] = "_system/keys:used"
    key_id: str
    at: float

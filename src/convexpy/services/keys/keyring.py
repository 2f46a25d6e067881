"""The admin keys of a deployment: made, listed, rotated, revoked, and how lately each was used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from convexpy.access import (
    FULL_ACCESS,
    AdminKeys,
    KeyKind,
    KeyRecord,
    ParsedKey,
    create_hashed_key,
    shown_prefix,
)
from convexpy.engine.background import BackgroundTasks
from convexpy.engine.system_functions import SystemFunctions
from convexpy.errors import Error, RequestError
from convexpy.protocol.admin_api import KeyInfo, NewKey, RotatedKey
from convexpy.protocol.system.keys import CreateKey, EndingKey, NoteKeyUse, RevokeKey, RotateKey
from convexpy.runtime import Clock, Signal
from convexpy.services.keys.new_keys import NewKeys
from convexpy.values import Document

USE_NOTED_EVERY_MS = 600_000
NAME_LENGTH_MAX = 64


@dataclass(kw_only=True, eq=False)
class Keyring:
    """Keys with their records: those in the data of the deployment, and new ones that were made beside the server."""

    keys: AdminKeys
    records: list[KeyRecord]
    new_keys: NewKeys
    system: SystemFunctions
    background: BackgroundTasks
    clock: Clock

    def __post_init__(self) -> None:
        self.revoked: Signal[[str]] = Signal()
        """The key with this id has ended, or has another expiry: connections that it opened must be closed."""
        self.keys.records = {record.key_id: record for record in self.records}
        self.keys.find_unknown = self.new_keys.find

    def verify(self, key: str) -> ParsedKey:
        """Return what a key says, or raise InvalidKey; the use is noted."""
        now_ms = self.clock.now_ns() / 1e6
        parsed = self.keys.verify(key, now_ms)
        record = parsed.record
        if record is not None and self.new_keys.is_new(record.key_id):
            self.background.start(self._keep(record))
        elif record is not None and now_ms - (record.last_used_at or 0.0) >= USE_NOTED_EVERY_MS:
            self.keys.records[record.key_id] = msgspec.structs.replace(record, last_used_at=now_ms)
            self.background.start(self.system.run(NoteKeyUse(record.key_id, now_ms)))
        return parsed

    async def take_new(self) -> None:
        """Take the keys that were made beside the server, with access to its data folder only."""
        for record in self.new_keys.all():
            if record.key_id in self.keys.records:
                self.new_keys.remove(record.key_id)  # the server ended between keeping and removing it
                continue
            self.keys.records[record.key_id] = record
            await self._keep(record)

    async def _keep(self, record: KeyRecord) -> None:
        """Move the record of such a key into the data; a name that is taken gets the beginning of its id."""
        self.new_keys.seen(record.key_id)
        try:
            await self._store(record)
        except Error as error:
            if error.code != "KeyNameTaken":
                raise
            record = msgspec.structs.replace(record, name=f"{record.name}-{record.key_id[:6]}")
            self.keys.records[record.key_id] = record
            await self._store(record)
        self.new_keys.remove(record.key_id)

    async def _store(self, record: KeyRecord) -> None:
        await self.system.run(CreateKey(_document(record)))

    async def create(
        self, name: str, kind: KeyKind, functions: tuple[str, ...] = (), expires_at: float | None = None
    ) -> NewKey:
        """Return a new key, which is nowhere else from now on.

        Raises:
            RequestError: the name is taken, or something is not what it should be.
        """
        now_ms = self.clock.now_ns() / 1e6
        if not name or len(name) > NAME_LENGTH_MAX or not name.isprintable():
            raise RequestError(f"the name of a key has 1 to {NAME_LENGTH_MAX} characters", code="BadKeyName")
        if (kind == "run") != bool(functions):
            raise RequestError(
                "a key of the kind `run`, and no other, names the functions that it may run",
                code="BadKeyFunctions",
            )
        if expires_at is not None and expires_at <= now_ms:
            raise RequestError("the key would have expired already", code="BadKeyExpiry")
        key, key_id, digest = create_hashed_key(self.keys.name)
        record = KeyRecord(
            key_id=key_id,
            digest=digest,
            name=name,
            kind=kind,
            functions=functions,
            created_at=now_ms,
            expires_at=expires_at,
        )
        await self._store(record)
        self.keys.records[key_id] = record
        return msgspec.convert({**self._described(record), "key": key}, NewKey)

    async def revoke(self, which: str) -> KeyInfo:
        """Make a key worthless, by its name or the prefix that lists show; return its line of the list.

        Raises:
            RequestError: there is no such key, several begin like this, or it is the first key.
        """
        record = self._named(which)
        await self.system.run(RevokeKey(record.key_id))
        self.keys.records.pop(record.key_id, None)
        self.revoked(record.key_id)
        return msgspec.convert(self._described(record), KeyInfo)

    async def rotate(self, which: str, grace_ms: float) -> RotatedKey:
        """Return a new key in place of one.

        The new key has the name and the rights of the old one and lasts as long as that was made for. The old one goes on
        under another name for `grace_ms`, unless it would have expired before.

        Raises:
            RequestError: there is no such key, several begin like this, it is the first key, or it has expired.
        """
        now_ms = self.clock.now_ns() / 1e6
        old = self._named(which)
        if old.expires_at is not None and old.expires_at <= now_ms:
            raise RequestError(
                f"the key {old.name!r} has expired", code="BadKeyExpiry", hint="convexpy keys create"
            )
        key, key_id, digest = create_hashed_key(self.keys.name)
        lasts_ms = None if old.expires_at is None else old.expires_at - old.created_at
        record = msgspec.structs.replace(
            old,
            key_id=key_id,
            digest=digest,
            created_at=now_ms,
            expires_at=None if lasts_ms is None else now_ms + lasts_ms,
            last_used_at=None,
        )
        ending = msgspec.structs.replace(
            old,
            name=f"{old.name[: NAME_LENGTH_MAX - 11]}-old-{old.key_id[:6]}",
            expires_at=min(now_ms + grace_ms, old.expires_at or now_ms + grace_ms),
        )
        kept = EndingKey(old.key_id, ending.name, ending.expires_at)
        await self.system.run(RotateKey(kept, _document(record)))
        self.keys.records[key_id] = record
        self.keys.records[old.key_id] = ending
        # What the old key has opened is opened again with it, and then ends with it.
        self.revoked(old.key_id)
        rotated = {**self._described(record), "key": key, "old": self._described(ending)}
        return msgspec.convert(rotated, RotatedKey)

    def _named(self, which: str) -> KeyRecord:
        matching = [
            record
            for record in self.keys.records.values()
            if which in (record.name, record.key_id) or which == self._prefix(record)
        ]
        if which and which == shown_prefix(self.keys.name, self.keys.first_id):
            raise RequestError(
                "the first key of a deployment cannot be revoked or rotated", code="FirstKey", status=409
            )
        if len(matching) != 1:
            what = "no key" if not matching else "more than one key"
            raise RequestError(f"{what} is named {which!r}", code="KeyNotFound", status=404)
        return matching[0]

    def listed(self) -> list[KeyInfo]:
        """Return what is known of every key, the oldest first."""
        first: list[KeyInfo] = []
        if self.keys.first_id:
            prefix = shown_prefix(self.keys.name, self.keys.first_id)
            first.append(KeyInfo(name="first", kind=FULL_ACCESS.kind, prefix=prefix))
        records = sorted(self.keys.records.values(), key=lambda record: record.created_at)
        return first + [msgspec.convert(self._described(record), KeyInfo) for record in records]

    def _described(self, record: KeyRecord) -> dict[str, Any]:
        return {**msgspec.to_builtins(record), "prefix": self._prefix(record)}

    def _prefix(self, record: KeyRecord) -> str:
        return shown_prefix(self.keys.name, record.key_id, hashed=bool(record.digest))


def _document(record: KeyRecord) -> Document:
    """Return the record as it is stored."""
    fields: Document = msgspec.to_builtins(record)
    return {field: value for field, value in fields.items() if value not in (None, "")}

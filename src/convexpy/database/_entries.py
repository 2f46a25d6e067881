"""What a row of the log holds.

Format:  msgpack. Entry `[1, group id, highest _creationTime so far, [transaction…]]`; transaction
`[operation id, function, [write…], replay or nil]`; write `[tablet, id, document or nil, [[index, old key,
new key]…], document before or nil]` with every index of the tablet, changed or not (old nil on insert, new nil on delete);
replay `[session, request, result]`. The document before is there for queries at an earlier timestamp; logs from before
that have no such element. A transaction is made by an executor and spliced into its entry unread. The
keys of `by_id` are not listed: its index number is minus the tablet, its key the id.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

import msgspec

from convexpy.errors import InvariantViolation
from convexpy.protocol.system.imports import FillTablet

ENTRY_FORMAT = 1
FILLING = FillTablet.path
"""The function whose transactions only write into hidden tablets."""
_FILLING = FILLING.encode()
_HEAD_BYTES = 256
CATALOG_TABLETS = 2
WHOLE_INDEX = b""
"""In the place of a written key: every key of the index. No key is empty."""
IndexKeys = tuple[int, bytes | None, bytes | None]
"""`(index, old key, new key)`."""
Keys = Sequence[IndexKeys]
"""The keys of a document: the old one is the new one. A write that changes none lists just these."""


class Write(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The last state of one document and its keys before and after the transaction; `before` is the document until then."""

    tablet: int
    id: str
    document: bytes | None
    keys: Sequence[IndexKeys]
    before: bytes | None = None


class Replay(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The answer to a session's request, found again when the request is repeated."""

    session: str
    request: int
    result: bytes


class TransactionRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """All that one transaction wrote, and who it was."""

    operation_id: str
    function: str
    writes: Sequence[Write]
    replay: Replay | None


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """One commit group."""

    format: int
    group_id: bytes
    max_creation_time: float
    transactions: Sequence[TransactionRecord]


class _RawEntry(msgspec.Struct, array_like=True, frozen=True):
    format: int
    group_id: bytes
    max_creation_time: float
    transactions: Sequence[msgspec.Raw]


class _KeysOfWrite(msgspec.Struct, array_like=True, frozen=True):
    """A write as the server reads it: the document stays undecoded."""

    tablet: int
    id: str
    document: msgspec.Raw
    keys: Sequence[IndexKeys]


class _KeysOfTransaction(msgspec.Struct, array_like=True, frozen=True):
    operation_id: str
    function: str
    writes: Sequence[_KeysOfWrite]


class WriteSet(msgspec.Struct, frozen=True, gc=False):
    """A finished transaction, on its way to the log: decoded for its own process, encoded for the others."""

    record: TransactionRecord
    encoded: bytes
    max_creation_time: float


class _Head(msgspec.Struct, array_like=True, frozen=True):
    """A transaction, its writes undecoded."""

    operation_id: str
    function: str
    writes: msgspec.Raw


class _CatalogFields(msgspec.Struct):
    """What documents of `_tables` and `_index` have in common."""

    state: str
    tablet: int
    number: int


class _Stamp(msgspec.Struct, rename={"creation_time": "_creationTime"}):
    creation_time: float


_encoder = msgspec.msgpack.Encoder()
_decode_entry = msgspec.msgpack.Decoder(Entry).decode
_decode_header = msgspec.msgpack.Decoder(_RawEntry).decode
_decode_keys = msgspec.msgpack.Decoder(_KeysOfTransaction).decode
_decode_head = msgspec.msgpack.Decoder(_Head).decode
_decode_catalog = msgspec.json.Decoder(_CatalogFields).decode
_decode_stamp = msgspec.json.Decoder(_Stamp).decode


def encode_write_set(record: TransactionRecord, *, max_creation_time: float) -> WriteSet:
    """Return the write set of a transaction."""
    return WriteSet(record, _encoder.encode(record), max_creation_time)


def encode_entry(transactions: Iterable[bytes], *, max_creation_time: float, group_id: bytes = b"") -> bytes:
    """Return the entry of a commit group; without a group id it gets a random one."""
    raw = [msgspec.Raw(transaction) for transaction in transactions]
    return _encoder.encode(
        _RawEntry(ENTRY_FORMAT, group_id or secrets.token_bytes(16), max_creation_time, raw)
    )


def decode_entry(entry: bytes) -> Entry:
    """Return a commit group.

    Raises:
        InvariantViolation: the bytes are not an entry, or of a newer format.
    """
    try:
        decoded = _decode_entry(entry)
    except msgspec.MsgspecError as error:
        raise InvariantViolation(f"a row of the log cannot be read: {error}") from error
    if decoded.format != ENTRY_FORMAT:
        raise InvariantViolation(f"a row of the log has format {decoded.format}, known is {ENTRY_FORMAT}")
    return decoded


def highest_creation_time(entry: bytes) -> float:
    """Return the highest `_creationTime` up to a commit group; its transactions stay undecoded."""
    return _decode_header(entry).max_creation_time


def written_keys(transaction: bytes) -> list[tuple[int, bytes]]:
    """Return every `(index, key)` that a transaction touched: old and new, changed or not, and by id.

    `(index, WHOLE_INDEX)` stands for all keys of an index: it is given up, and whoever read in it must look again.
    What goes into a hidden tablet touches nobody.

    Raises:
        msgspec.MsgspecError: the bytes are not a transaction.
    """
    if _FILLING in transaction[:_HEAD_BYTES] and _decode_head(transaction).function == FILLING:
        return []
    found: list[tuple[int, bytes]] = []
    for write in _decode_keys(transaction).writes:
        found.append((-write.tablet, write.id.encode()))
        if write.tablet <= CATALOG_TABLETS:
            found += _given_up(write)
        for index, old, new in write.keys:
            if old is not None:
                found.append((index, old))
            if new is not None and new != old:
                found.append((index, new))
    return found


def _given_up(write: _KeysOfWrite) -> list[tuple[int, bytes]]:
    """Return the index, or for a table that by id, which a write to the catalog gives up."""
    stored = msgspec.msgpack.decode(write.document, type=bytes | None)
    if stored is None or b'"deleting"' not in stored:
        return []
    fields = _decode_catalog(stored)
    if fields.state != "deleting":
        return []
    return [(-fields.tablet if write.tablet == 1 else fields.number, WHOLE_INDEX)]


def creation_time(document: bytes) -> float:
    """Return the `_creationTime` of a stored document without decoding the rest."""
    return _decode_stamp(document).creation_time

"""Checksums of what is stored: CRC-32, in the standard library, about 1 ns a byte.

Each covers the place as well as the content, so that a record which is read from another one's place is found, too. CRC-32
finds every burst of up to 32 bits and misses one in four billion of longer ones. It is not a defence against people.
"""

from __future__ import annotations

from zlib import crc32

_MASK = 0xFFFFFFFF


def document_checksum(tablet: int, id: bytes, document: bytes) -> int:
    """Return the checksum of a stored document."""
    return crc32(document, crc32(id, tablet))


def entry_salt(index: int) -> int:
    """Return what tells an index's entries from those of others."""
    return index * 0x9E3779B1 & _MASK


def key_checksum(salt: int, key: bytes, n: int) -> int:
    """Return the checksum of an index entry; `salt` is the index's."""
    return crc32(key, (n ^ salt) & _MASK)


def row_checksum(seq: int, ts: int, entry: bytes) -> int:
    """Return the checksum of a row of the log."""
    return crc32(entry, crc32(b"%d %d" % (seq, ts)))


def replay_checksum(session: str, request: int, seq: int | None, ts: int | None, result: bytes) -> int:
    """Return the checksum of a replay record."""
    return crc32(result, crc32(f"{session} {request} {seq} {ts}".encode()))


def texts_checksum(*texts: str) -> int:
    """Return the checksum of named texts, in their order."""
    return crc32("\0".join(texts).encode())

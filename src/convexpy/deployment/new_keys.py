"""Keys made beside the server: their records wait in a folder until the server takes them.

Whoever can write into the data folder owns the deployment, so the way back in after the last key is lost is a file there:
the record of a new key with its digest. A running server finds it when the key is used first, a stopped one at its next
start. The file never holds the key.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from convexpy.auth import KeyRecord

FOLDER = "new-keys"
logger = logging.getLogger("convexpy.auth")


class NewKeys:
    """The folder of records that wait."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._found: set[str] = set()

    def find(self, key_id: str) -> KeyRecord | None:
        """Return the record of the key with this id (hex digits), or None."""
        record = _read(self._folder / f"{key_id}.json")
        if record is None or record.key_id != key_id:
            return None
        self._found.add(key_id)
        return record

    def all(self) -> list[KeyRecord]:
        """Return every record that waits."""
        files = sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
        found = [_read(file) for file in files]
        return [record for record in found if record is not None]

    def is_new(self, key_id: str) -> bool:
        """Say whether a key was found here and is not kept in the data yet."""
        return key_id in self._found

    def seen(self, key_id: str) -> None:
        """Note that a record is being kept."""
        self._found.discard(key_id)

    def remove(self, key_id: str) -> None:
        """Remove the file of a record that is in the data now."""
        (self._folder / f"{key_id}.json").unlink(missing_ok=True)


def _read(file: Path) -> KeyRecord | None:
    try:
        record = msgspec.json.decode(file.read_bytes(), type=KeyRecord)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        logger.warning("%s is no record of a key: %s", file, error)
        return None
    return record if record.digest else None

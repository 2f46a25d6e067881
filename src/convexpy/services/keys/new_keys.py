"""Keys made beside the server: their records wait in a folder until the server takes them.

The way back in after the last key is lost is a file there: the record of a new key with its digest, sealed with the instance
secret. Only who can read the secret can make such a file: one that app code puts there is ignored. A running server finds it
when the key is used first, a stopped one at its next start. The file never holds the key.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from convexpy.access import NEW_KEYS_FOLDER, KeyRecord, open_record

logger: logging.Logger = logging.getLogger("convexpy.access")


class NewKeys:
    """The folder of records that wait."""

    def __init__(self, folder: Path, secret: str) -> None:
        self._folder = folder / NEW_KEYS_FOLDER
        self._secret = secret
        self._found: set[str] = set()

    def find(self, key_id: str) -> KeyRecord | None:
        """Return the record of the key with this id (hex digits), or None."""
        record = self._read(self._folder / f"{key_id}.json")
        if record is None or record.key_id != key_id:
            return None
        self._found.add(key_id)
        return record

    def all(self) -> list[KeyRecord]:
        """Return every record that waits."""
        files = sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
        found = [self._read(file) for file in files]
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

    def _read(self, file: Path) -> KeyRecord | None:
        try:
            record = open_record(self._secret, file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            logger.warning("%s is not the record of a key: %s", file, error)
            return None
        if record is None:
            logger.warning("%s was not made with the secret of this deployment: it counts for nothing", file)
            return None
        return record if record.digest else None

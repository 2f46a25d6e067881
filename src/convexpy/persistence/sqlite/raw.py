"""The files as they are, for tools that check or repair a stopped deployment: nothing is opened for writing, or migrated."""

from convexpy.persistence.sqlite._checksums import entry_salt, key_checksum, replay_checksum
from convexpy.persistence.sqlite._connection import open_reading
from convexpy.persistence.sqlite._stored import checked_document, stored_numbers
from convexpy.persistence.sqlite._structure import structure_faults
from convexpy.persistence.sqlite.checkpoint import check_meta
from convexpy.persistence.sqlite.log import FORMAT, check_format, checked_row

__all__ = [
    "FORMAT",
    "check_format",
    "check_meta",
    "checked_document",
    "checked_row",
    "entry_salt",
    "key_checksum",
    "open_reading",
    "replay_checksum",
    "stored_numbers",
    "structure_faults",
]

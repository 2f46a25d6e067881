"""The files as they are, for tools that check or repair a stopped deployment: nothing is opened for writing, or migrated."""

from convexpy.persistence.sqlite._checksums import (
    entry_salt as entry_salt,
    key_checksum as key_checksum,
    replay_checksum as replay_checksum,
)
from convexpy.persistence.sqlite._connection import open_reading as open_reading
from convexpy.persistence.sqlite._stored import (
    checked_document as checked_document,
    stored_numbers as stored_numbers,
)
from convexpy.persistence.sqlite._structure import structure_faults as structure_faults
from convexpy.persistence.sqlite.checkpoint import check_meta as check_meta
from convexpy.persistence.sqlite.log import (
    FORMAT as FORMAT,
    check_format as check_format,
    checked_row as checked_row,
)

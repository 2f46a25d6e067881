"""Snapshots as files: the zip of tables and stored files, JSON lines, JSON arrays and CSV; all in constant memory.

Nothing here knows of a deployment. What is read comes from strangers: an archive is checked as a whole before a byte of
it is used, and whatever is wrong with a row is said with file, line and column.
"""

from __future__ import annotations

from convexpy.snapshots._archive import (
    Archive as Archive,
    ArchivedFile as ArchivedFile,
    ArchivedTable as ArchivedTable,
    ArchiveLimits as ArchiveLimits,
)
from convexpy.snapshots._columns import (
    CsvTypes as CsvTypes,
    csv_types as csv_types,
    type_by_name as type_by_name,
)
from convexpy.snapshots._csv import guess_types as guess_types, read_csv as read_csv, write_csv as write_csv
from convexpy.snapshots._faults import Fault as Fault, Place as Place, SnapshotError as SnapshotError
from convexpy.snapshots._json import read_json_array as read_json_array, read_json_lines as read_json_lines
from convexpy.snapshots._writer import SnapshotWriter as SnapshotWriter

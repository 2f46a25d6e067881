"""Snapshots as files: the zip of tables and stored files, JSON lines, JSON arrays and CSV; all in constant memory.

Nothing here knows of a deployment. What is read comes from strangers: an archive is checked as a whole before a byte of
it is used, and whatever is wrong with a row is said with file, line and column.
"""

from __future__ import annotations

from convexpy.snapshots._archive import Archive, ArchivedFile, ArchivedTable, ArchiveLimits
from convexpy.snapshots._columns import CsvTypes, csv_types, type_by_name
from convexpy.snapshots._csv import guess_types, read_csv, write_csv
from convexpy.snapshots._faults import Fault, Place, SnapshotError
from convexpy.snapshots._json import read_json_array, read_json_lines
from convexpy.snapshots._writer import SnapshotWriter

__all__ = [
    "Archive",
    "ArchiveLimits",
    "ArchivedFile",
    "ArchivedTable",
    "CsvTypes",
    "Fault",
    "Place",
    "SnapshotError",
    "SnapshotWriter",
    "csv_types",
    "guess_types",
    "read_csv",
    "read_json_array",
    "read_json_lines",
    "type_by_name",
    "write_csv",
]

"""From format 1 to format 2: a checksum beside each row of the log, document, index entry and replay record.

Each file in one transaction: it has the one format or the other. What format 1 holds is taken for right; it had no means to
tell.
"""

from __future__ import annotations

import sqlite3

from convexpy.persistence.sqlite._checksums import (
    document_checksum,
    entry_salt,
    key_checksum,
    replay_checksum,
    row_checksum,
)


def add_log_checksums(connection: sqlite3.Connection) -> None:
    """Move `log.db` from format 1 to 2, in the transaction that is open."""
    connection.create_function("row_checksum", 3, row_checksum, deterministic=True)
    connection.execute("ALTER TABLE log ADD COLUMN checksum INTEGER")
    connection.execute("UPDATE log SET checksum = row_checksum(seq, ts, entry)")
    connection.execute("UPDATE meta SET value = '2' WHERE name = 'format'")


def add_checkpoint_checksums(
    connection: sqlite3.Connection, tablets: set[int], indexes: set[int], meta_checksum: int
) -> None:
    """Move `data.db` from format 1 to 2, in the transaction that is open."""
    connection.create_function("document_checksum", 3, document_checksum, deterministic=True)
    connection.create_function("key_checksum", 3, key_checksum, deterministic=True)
    connection.create_function("replay_checksum", 5, replay_checksum, deterministic=True)
    run = connection.execute
    for tablet in sorted(tablets):
        run(f"ALTER TABLE _t{tablet} ADD COLUMN checksum INTEGER")
        run(
            f"UPDATE _t{tablet} SET checksum = "
            f"document_checksum({tablet}, CAST(_id AS BLOB), CAST(document AS BLOB))"
        )
    for index in sorted(indexes):
        run(f"ALTER TABLE _i{index} ADD COLUMN checksum INTEGER")
        run(f"UPDATE _i{index} SET checksum = key_checksum({entry_salt(index)}, key, n)")
    run("ALTER TABLE _replay ADD COLUMN checksum INTEGER")
    run("UPDATE _replay SET checksum = replay_checksum(session, request, seq, ts, result)")
    run("UPDATE _meta SET value = '2' WHERE name = 'format'")
    run("INSERT OR REPLACE INTO _meta VALUES('checksum', ?)", (str(meta_checksum),))

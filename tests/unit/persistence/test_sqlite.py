"""What only SQLite can get wrong: pragmas, views, full disks, refusals at opening."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from convexpy.persistence import (
    CheckpointBatch,
    DataFolder,
    DocumentChange,
    KeyChange,
    OutcomeUnknown,
    SqliteLogStore,
    StoreFull,
    StoreRefused,
    open_checkpoint_reader,
    open_checkpoint_writer,
)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path, allow_network_file_system=True)
    yield folder
    folder.close()


def edit(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def test_a_person_sees_tables_under_their_names(data: DataFolder) -> None:
    document = b'{"_creationTime":5.5,"_id":"x","body":"h\xc3\xa9"}'
    tables = {"messages": 10001, "Messages": 10002, "sqlite_like": 10003}
    data.checkpoint.apply(
        CheckpointBatch(1, [DocumentChange(10001, "x", 5.5, document)], tables=tables, max_creation_time=5.5)
    )
    person = sqlite3.connect(data.folder / "data.db")
    views = {name for (name,) in person.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")}
    assert views == {"Messages", "10001 messages", "10003 sqlite_like"}
    shown = person.execute(
        "SELECT _id, _creationTime, typeof(document), json_extract(document, '$.body') FROM \"10001 messages\""
    )
    assert shown.fetchall() == [("x", 5.5, "text", "hé")]
    assert person.execute("SELECT * FROM Messages").fetchall() == []
    person.close()


def test_views_follow_a_swap_of_tablets(data: DataFolder) -> None:
    documents = [DocumentChange(10001, "old", 1.0, b"{}"), DocumentChange(10002, "new", 1.0, b"{}")]
    data.checkpoint.apply(CheckpointBatch(1, documents, tables={"messages": 10001}))
    data.checkpoint.apply(CheckpointBatch(2, tables={"messages": 10002}))
    person = sqlite3.connect(data.folder / "data.db")
    assert person.execute("SELECT _id FROM messages").fetchall() == [("new",)]
    person.close()


def test_the_writing_connection_is_set_up_for_durability(data: DataFolder) -> None:
    for store in (data.log, data.checkpoint):
        ask = store._connection.execute
        assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ask("PRAGMA synchronous").fetchone() == (2,)
        assert ask("PRAGMA wal_autocheckpoint").fetchone() == (0,)
        assert ask("PRAGMA mmap_size").fetchone() in ((0,), None)


def test_readers_cannot_write(data: DataFolder) -> None:
    reader = open_checkpoint_reader(data.folder)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM _meta")
    reader.close()


def test_a_full_disk_leaves_no_row_and_no_half_checkpoint(data: DataFolder) -> None:
    data.log.append(1, 1, b"small")
    pages = data.log._connection.execute("PRAGMA page_count").fetchone()[0]
    data.log._connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreFull):
        data.log.append(2, 2, bytes(100_000))
    assert [row.seq for row in data.log.rows(0)] == [1]
    data.log._connection.execute("PRAGMA max_page_count=1000000")
    data.log.probe()
    data.log.append(2, 2, bytes(100_000))
    assert [row.seq for row in data.log.rows(0)] == [1, 2]

    batch = CheckpointBatch(
        2, [DocumentChange(5, str(n), 1.0, bytes(2000).hex().encode()) for n in range(50)]
    )
    pages = data.checkpoint._connection.execute("PRAGMA page_count").fetchone()[0]
    data.checkpoint._connection.execute(f"PRAGMA max_page_count={pages + 3}")
    with pytest.raises(StoreFull):
        data.checkpoint.apply(batch)
    assert data.checkpoint.checkpoint_seq == 0
    assert data.checkpoint.stored() == (set(), set())
    data.checkpoint._connection.execute("PRAGMA max_page_count=1000000")
    data.checkpoint.apply(batch)
    assert data.checkpoint.checkpoint_seq == 2


def test_a_busy_file_is_surely_absent_and_anything_else_is_unknown(data: DataFolder) -> None:
    data.log._connection.execute("PRAGMA busy_timeout=1")
    other = sqlite3.connect(data.folder / "log.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFull):
        data.log.append(1, 1, b"")
    other.execute("ROLLBACK")
    other.close()
    data.log.append(1, 1, b"")
    with pytest.raises(OutcomeUnknown):
        data.log.append(1, 1, b"")


def test_a_second_server_is_refused_until_the_first_has_closed(data: DataFolder) -> None:
    with pytest.raises(StoreRefused, match="another server uses") as refused:
        DataFolder(data.folder, allow_network_file_system=True)
    assert refused.value.code == "DataFolderInUse"
    data.close()
    data.close()
    DataFolder(data.folder, allow_network_file_system=True).close()


def test_both_files_have_one_deployment_id(data: DataFolder) -> None:
    assert data.deployment_id == data.checkpoint.deployment_id
    assert len(data.deployment_id) == 32
    data.close()
    again = DataFolder(data.folder, allow_network_file_system=True)
    assert again.deployment_id == data.deployment_id
    again.close()


def test_files_of_different_deployments_are_refused(data: DataFolder, tmp_path: Path) -> None:
    data.close()
    edit(data.folder / "data.db", "UPDATE _meta SET value = 'other' WHERE name = 'deployment_id'")
    with pytest.raises(StoreRefused) as refused:
        DataFolder(data.folder, allow_network_file_system=True)
    assert refused.value.code == "DeploymentMismatch"


def test_a_newer_format_is_refused(data: DataFolder) -> None:
    data.close()
    for file, table in (("data.db", "_meta"), ("log.db", "meta")):
        edit(data.folder / file, f"UPDATE {table} SET value = '2' WHERE name = 'format'")
        with pytest.raises(StoreRefused, match="format 2") as refused:
            DataFolder(data.folder, allow_network_file_system=True)
        assert refused.value.code == "NewerFormat"
        edit(data.folder / file, f"UPDATE {table} SET value = '1' WHERE name = 'format'")
    DataFolder(data.folder, allow_network_file_system=True).close()


def test_data_without_a_log_is_refused_and_no_log_is_made(data: DataFolder) -> None:
    data.close()
    (data.folder / "log.db").unlink()
    with pytest.raises(StoreRefused, match=r"no log\.db"):
        DataFolder(data.folder, allow_network_file_system=True)
    assert not (data.folder / "log.db").exists()


def test_the_checkpoint_can_be_handed_to_another_writer(data: DataFolder) -> None:
    data.release_checkpoint()
    writer = open_checkpoint_writer(data.folder, deployment_id=data.deployment_id)
    writer.apply(CheckpointBatch(1, [DocumentChange(1, "x", 1.0, b"{}")], [KeyChange(1, b"k", 1, "x")]))
    writer.close()


def test_the_write_ahead_log_starts_over_after_folding(tmp_path: Path) -> None:
    log = SqliteLogStore(tmp_path / "log.db")
    wal = tmp_path / "log.db-wal"
    sizes = []
    for seq in range(1, 41):
        log.append(seq, seq, bytes(50_000))
        if seq % 5 == 0:
            log.checkpoint_wal()
        sizes.append(wal.stat().st_size)
    assert max(sizes) < 600_000
    log.recover()
    assert wal.stat().st_size == 0
    log.close()

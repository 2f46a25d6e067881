"""What only SQLite can get wrong: pragmas, views, full disks, refusals at opening."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from convexpy.errors import Error
from convexpy.persistence import (
    CheckpointBatch,
    DataDamaged,
    DocumentChange,
    KeyChange,
    OutcomeUnknown,
    StoreFull,
    StoreRefused,
)
from convexpy.persistence.sqlite import (
    DataFolder,
    SqliteLogStore,
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
    other = DataFolder(tmp_path / "other", allow_network_file_system=True)
    other.close()
    shutil.copy(other.folder / "data.db", data.folder / "data.db")
    with pytest.raises(StoreRefused) as refused:
        DataFolder(data.folder, allow_network_file_system=True)
    assert refused.value.code == "DeploymentMismatch"


def test_a_newer_format_is_refused(data: DataFolder) -> None:
    data.close()
    for file, table in (("data.db", "_meta"), ("log.db", "meta")):
        edit(data.folder / file, f"UPDATE {table} SET value = '3' WHERE name = 'format'")
        with pytest.raises(StoreRefused, match="format 3") as refused:
            DataFolder(data.folder, allow_network_file_system=True)
        assert refused.value.code == "NewerFormat"
        edit(data.folder / file, f"UPDATE {table} SET value = '2' WHERE name = 'format'")
    DataFolder(data.folder, allow_network_file_system=True).close()


def test_data_without_a_log_is_refused_and_no_log_is_made(data: DataFolder) -> None:
    data.close()
    (data.folder / "log.db").unlink()
    with pytest.raises(StoreRefused, match=r"no log\.db"):
        DataFolder(data.folder, allow_network_file_system=True)
    assert not (data.folder / "log.db").exists()


def test_the_checkpoint_can_be_handed_to_another_writer(data: DataFolder) -> None:
    data.checkpoint.close()
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
            log.compact()
        sizes.append(wal.stat().st_size)
    assert max(sizes) < 600_000
    log.recover()
    assert wal.stat().st_size == 0
    log.close()


def test_large_files_are_checked_in_the_background(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data.checkpoint.apply(
        CheckpointBatch(1, [DocumentChange(10001, "a", 1.0, b"{}")], [KeyChange(7, b"k", 10001, "a")])
    )
    data.close()
    monkeypatch.setattr("convexpy.persistence.sqlite.folder.START_CHECK_BYTES_MAX", 0)
    connection = sqlite3.connect(data.folder / "data.db")
    (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = '_i7'").fetchone()
    connection.close()
    with (data.folder / "data.db").open("r+b") as file:
        file.seek(4096 * (root - 1) + 3)
        file.write(b"\0\0")  # the page says that it has no entries
    again = DataFolder(data.folder, allow_network_file_system=True)
    assert [path.name for path in again.unchecked] == ["log.db", "data.db"]
    again.check_in_background()
    assert again.background_check is not None
    again.background_check.wait()
    again.close()
    assert "data.db is damaged" in caplog.text
    assert "doctor --deep" in caplog.text


@pytest.mark.parametrize(
    ("file", "content", "code"),
    [
        ("log.db", b"", None),
        ("log.db", b"no database" * 1000, "DataDamaged"),
        ("data.db", b"no database" * 1000, "DataDamaged"),
        ("data.db", b"SQLite format 3\0" + b"\0" * 5000, "DataDamaged"),
    ],
)
def test_files_that_are_no_databases_are_named(
    data: DataFolder, file: str, content: bytes, code: str | None
) -> None:
    data.close()
    (data.folder / file).write_bytes(content)
    with pytest.raises(Error, match=file if code else "different deployments") as refused:
        DataFolder(data.folder, allow_network_file_system=True)
    assert refused.value.code == (code or "DeploymentMismatch")
    assert refused.value.hint


@pytest.mark.parametrize("value", ["two", "", "-1", "1.5", "0", "²"])
def test_a_format_that_is_no_number_is_named(data: DataFolder, value: str) -> None:
    data.close()
    for file, table in (("data.db", "_meta"), ("log.db", "meta")):
        edit(data.folder / file, f"UPDATE {table} SET value = '{value}' WHERE name = 'format'")
        with pytest.raises(DataDamaged, match=f"{file} does not say its format") as refused:
            DataFolder(data.folder, allow_network_file_system=True)
        assert refused.value.hint
        edit(data.folder / file, f"UPDATE {table} SET value = '2' WHERE name = 'format'")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no such limit")
def test_a_disk_without_room_is_said(tmp_path: Path) -> None:
    """In a child, for a limit on the size of files cannot be taken back."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from convexpy.errors import Error\nfrom convexpy.persistence import DataFolder\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "try: DataFolder(Path(sys.argv[1]), allow_network_file_system=True)\n"
        "except Error as error: print(error.code, error.hint)\n"
    )
    for limit in ("0", "4096", "20000"):
        ran = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / limit), limit],
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.split()[0] in ("StorageFull", "StorageFailed"), ran
        assert "then start again" in ran.stdout

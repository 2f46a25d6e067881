"""`doctor --deep` finds every kind of damage; `doctor --salvage` goes on from what is whole and says what is lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from convexpy.database import Store, recover
from convexpy.deployment.data_check import DataCheck
from convexpy.deployment.salvage import salvage
from convexpy.persistence import StoreRefused
from convexpy.persistence.folder_lock import FolderLock
from convexpy.persistence.sqlite import DataFolder, open_checkpoint_reader
from convexpy.runtime import ManualClock

OLD = Path(__file__).parent.parent / "persistence" / "format_1"
NOTES, BY_CREATION_TIME, BY_N = 10001, 10001, 10002


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with six notes: four in the checkpoint at row 5, two in the rows after it."""
    for name in ("log", "data"):
        connection = sqlite3.connect(tmp_path / f"{name}.db")
        connection.executescript((OLD / f"{name}.sql").read_text())
        connection.close()
    with pytest.raises(StoreRefused, match="without checksums"):
        DataCheck(tmp_path)
    DataFolder(tmp_path, allow_network_file_system=True).close()
    return tmp_path


def edit(folder: Path, file: str, *statements: str) -> None:
    connection = sqlite3.connect(folder / file)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def notes(folder: Path) -> int:
    """Start as a server does; return how many notes there are."""
    data = DataFolder(folder, allow_network_file_system=True)
    try:
        recovered = recover(data.log, data.checkpoint, clock=ManualClock())
        store = Store(open_checkpoint_reader(folder), clock=ManualClock())
        for row in recovered.rows:
            store.row(*row)
        return len(store.all_documents(store.catalog.by_name["notes"].tablet))
    finally:
        data.close()


def test_a_whole_folder_has_no_faults(folder: Path) -> None:
    found = DataCheck(folder)
    assert found.faults == []
    assert found.counted["documents"] > 4
    assert found.counted["index entries"] > 8
    assert found.counted["rows of the log"] > 6
    assert found.counted["replay records"] == 4
    assert notes(folder) == 6


@pytest.mark.parametrize(
    ("file", "statement", "said"),
    [
        ("data.db", f"UPDATE _t{NOTES} SET document = replace(document, 'llo 2', 'llo 3')", "table notes: "),
        ("data.db", f"DELETE FROM _i{BY_N} WHERE n = 2", "by_n: no right entry"),
        ("data.db", f"UPDATE _i{BY_N} SET n = 2", "by_n: no right entry"),
        ("data.db", f"DELETE FROM _t{NOTES} WHERE n = 2", "entries for 3 documents"),
        ("data.db", "UPDATE _replay SET request = 77 WHERE request = 2", "request 77"),
        ("data.db", "UPDATE _meta SET value = '9.0' WHERE name = 'max_creation_time'", "_meta"),
        ("data.db", f"ALTER TABLE _t{NOTES} RENAME TO _t999", "definition of a table"),
        ("log.db", "UPDATE log SET entry = X'93' WHERE seq = 6", "row 6 of log.db"),
        ("log.db", "DELETE FROM log WHERE seq = 6", "row 7 follows row 5"),
        ("log.db", "DELETE FROM log WHERE seq > 3", "do not fit"),
    ],
)
def test_each_kind_of_damage_is_found(folder: Path, file: str, statement: str, said: str) -> None:
    edit(folder, file, statement)
    assert any(said in fault for fault in DataCheck(folder).faults), DataCheck(folder).faults


def test_damaged_pages_are_found_and_do_not_end_the_check(folder: Path) -> None:
    with (folder / "data.db").open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xa5" * 4096 * 2)
    assert any(fault.startswith("data.db: ") for fault in DataCheck(folder).faults)
    with (folder / "log.db").open("r+b") as file:
        file.truncate(4096)
    assert any(fault.startswith("log.db: ") for fault in DataCheck(folder).faults)


def test_a_folder_in_use_is_left_alone(folder: Path) -> None:
    lock = FolderLock(folder)
    for work in (DataCheck, salvage):
        with pytest.raises(StoreRefused, match="another server"):
            work(folder)
    lock.release()


def test_files_that_fit_are_not_touched(folder: Path) -> None:
    before = (folder / "log.db").read_bytes()
    done = salvage(folder)
    assert (done.lost, done.set_aside, done.kept_rows) == ([], "", 2)
    assert (folder / "log.db").read_bytes() == before


@pytest.mark.parametrize(
    ("statements", "kept", "said"),
    [
        (["DELETE FROM log WHERE seq > 3"], 4, []),
        (["DELETE FROM log"], 4, []),
        (["DELETE FROM log WHERE seq = 6"], 4, ["rows 7 to 7, committed", "1 of fn:make"]),
        (["UPDATE log SET entry = X'00' WHERE seq = 7"], 5, ["1 damaged rows"]),
        (
            ["UPDATE log SET entry = X'00' WHERE seq = 6"],
            4,
            ["1 damaged rows", "rows 7 to 7", "1 of fn:make"],
        ),
        (["DROP TABLE log"], 4, ["no such table"]),
        (["UPDATE meta SET value = 'x' WHERE name = 'deployment_id'"], 4, ["of another deployment"]),
    ],
)
def test_a_torn_log_costs_only_what_is_missing(
    folder: Path, statements: list[str], kept: int, said: list[str]
) -> None:
    edit(folder, "log.db", *statements)
    done = salvage(folder)
    assert (folder / done.set_aside).is_file()
    assert len(done.lost) >= len(said)
    assert all(any(text in line for line in done.lost) for text in said), done.lost
    assert DataCheck(folder).faults == []
    assert notes(folder) == kept
    assert notes(folder) == kept  # and it goes on from there
    assert salvage(folder).set_aside == ""


@pytest.mark.parametrize("content", [None, b"", b"this is no database" * 500])
def test_without_a_log_the_checkpoint_is_what_there_is(folder: Path, content: bytes | None) -> None:
    (folder / "log.db").unlink()
    if content is not None:
        (folder / "log.db").write_bytes(content)
    done = salvage(folder)
    assert "could not be read" in done.lost[0]
    assert notes(folder) == 4


def test_a_damaged_checkpoint_is_not_salvaged(folder: Path) -> None:
    (folder / "data.db").write_bytes(b"")
    with pytest.raises(Exception, match=r"data\.db|no such table"):
        salvage(folder)

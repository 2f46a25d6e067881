"""What was damaged on disk is an error that names it, never an answer; a folder of format 1 gets its checksums."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from convexpy.database import Checkpointer, Store, recover
from convexpy.functions._host import QueryPlan
from convexpy.limits import TransactionBudget
from convexpy.persistence import (
    CheckpointBatch,
    DataDamaged,
    DocumentChange,
    KeyChange,
    LogRow,
    ReplayRecord,
    StoreRefused,
)
from convexpy.persistence.sqlite import DataFolder, SqliteCheckpointReader, open_checkpoint_reader
from convexpy.runtime import ManualClock

TABLET, INDEX, DOCUMENTS = 10001, 10002, 300
OLD = Path(__file__).with_name("format_1")


def document(n: int) -> bytes:
    return json.dumps({"_creationTime": float(n), "_id": f"id{n:05}", "text": f"text {n}" * 9}).encode()


def fill(folder: Path) -> None:
    data = DataFolder(folder, allow_network_file_system=True)
    documents = [DocumentChange(TABLET, f"id{n:05}", float(n), document(n)) for n in range(DOCUMENTS)]
    keys = [KeyChange(INDEX, b"key %05d" % n, TABLET, f"id{n:05}") for n in range(DOCUMENTS)]
    replay = [ReplayRecord("session", n, 1, 5, b"answer") for n in range(50)]
    for seq in range(1, 20):
        data.log.append(seq, seq, b"entry %d" % seq * 20)
    data.checkpoint.apply(CheckpointBatch(1, documents, keys, replay, tables={"notes": TABLET}))
    data.checkpoint.recover()
    data.log.recover()
    data.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    fill(folder)
    return folder


def copied(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "data", dirs_exist_ok=True))


def edit(folder: Path, file: str, statement: str) -> None:
    connection = sqlite3.connect(folder / file)
    with connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()


def whole_range(reader: SqliteCheckpointReader) -> object:
    return reader.range(INDEX, TABLET, b"", b"\xff", desc=False, limit=DOCUMENTS + 1)


READS: dict[str, Callable[[SqliteCheckpointReader], object]] = {
    "get": lambda reader: reader.get(TABLET, "id00007"),
    "range": whole_range,
    "ids": lambda reader: reader.ids(TABLET, b"", b"\xff", desc=True, limit=DOCUMENTS),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    "change",
    [
        "document = replace(document, 'text 7', 'text 8')",
        "document = CAST(document AS BLOB)",
        "document = 5",
        "document = CAST(X'FF' AS TEXT)",
        "checksum = checksum + 1",
        "checksum = NULL",
    ],
)
def test_a_changed_document_is_named(filled: Path, tmp_path: Path, read: str, change: str) -> None:
    folder = copied(filled, tmp_path)
    edit(folder, "data.db", f"UPDATE _t{TABLET} SET {change} WHERE _id = 'id00007'")
    data = DataFolder(folder, allow_network_file_system=True)
    reader = open_checkpoint_reader(folder)
    reader.begin()
    if "BLOB" in change:  # other bytes in the file, the same document
        READS[read](reader)
    else:
        with pytest.raises(
            DataDamaged, match=r"data\.db, table notes: .*(id00007|TypeError|bytes)"
        ) as damaged:
            READS[read](reader)
        assert damaged.value.code == "DataDamaged"
        assert "doctor --deep" in str(damaged.value.hint)
        with pytest.raises(DataDamaged, match="table notes"):
            data.checkpoint.walk(TABLET, 0, 1000)
        assert reader.get(TABLET, "id00008") == document(8)
    reader.close()
    data.close()


@pytest.mark.parametrize(
    "change", ["key = X'00'", "key = CAST('key 99999' AS BLOB)", "n = n + 1", "n = 99999", "checksum = NULL"]
)
def test_a_changed_index_entry_is_named(filled: Path, tmp_path: Path, change: str) -> None:
    folder = copied(filled, tmp_path)
    where = "WHERE key = CAST('key 00007' AS BLOB)"
    edit(folder, "data.db", f"UPDATE _i{INDEX} SET {change} {where}")
    reader = open_checkpoint_reader(folder)
    reader.begin()
    with pytest.raises(DataDamaged, match=rf"table notes: .*index {INDEX}"):
        whole_range(reader)
    reader.close()


def test_a_changed_answer_to_a_request_is_not_given(filled: Path, tmp_path: Path) -> None:
    folder = copied(filled, tmp_path)
    edit(folder, "data.db", "UPDATE _replay SET result = X'00' WHERE request = 3")
    reader = open_checkpoint_reader(folder)
    reader.begin()
    assert reader.replay("session", 4) == ReplayRecord("session", 4, 1, 5, b"answer")
    with pytest.raises(DataDamaged, match="request 3"):
        reader.replay("session", 3)
    reader.close()


@pytest.mark.parametrize("change", ["entry = X'00'", "ts = ts + 1", "seq = 99", "checksum = NULL"])
def test_a_changed_row_of_the_log_is_named(filled: Path, tmp_path: Path, change: str) -> None:
    folder = copied(filled, tmp_path)
    edit(folder, "log.db", f"UPDATE log SET {change} WHERE seq = 19")
    data = DataFolder(folder, allow_network_file_system=True)
    assert data.log.rows(0, 18)[-1] == LogRow(18, 18, b"entry 18" * 20)
    for read in (data.log.last_row, lambda: data.log.rows(0)):
        with pytest.raises(DataDamaged, match=r"row (19|99) of log\.db"):
            read()
    data.close()


def test_where_the_checkpoint_stands_is_covered_too(filled: Path, tmp_path: Path) -> None:
    folder = copied(filled, tmp_path)
    edit(folder, "data.db", "UPDATE _meta SET value = '2' WHERE name = 'checkpoint_seq'")
    with pytest.raises(DataDamaged, match="_meta"):
        DataFolder(folder, allow_network_file_system=True)


@pytest.mark.slow
def test_flipped_bits_are_found_or_do_no_harm(filled: Path, tmp_path: Path) -> None:
    """Whatever byte of the files is another one: what can be read is what was written."""
    random_ = random.Random(11)
    size = (filled / "data.db").stat().st_size
    right = [(b"key %05d" % n, f"id{n:05}", document(n)) for n in range(DOCUMENTS)]
    found = 0
    for _ in range(150):
        folder = copied(filled, tmp_path)
        with (folder / "data.db").open("r+b") as file:
            for _ in range(random_.choice((1, 1, 4))):
                file.seek(random_.randrange(size))
                byte = file.read(1)[0]
                file.seek(-1, 1)
                file.write(bytes([byte ^ 1 << random_.randrange(8)]))
        try:
            data = DataFolder(folder, allow_network_file_system=True)
            try:
                reader = open_checkpoint_reader(folder)
                reader.begin()
                assert whole_range(reader) == right
                by_id = reader.ids(TABLET, b"", b"\xff", desc=False, limit=DOCUMENTS + 1)
                assert by_id == [(id.encode(), id, text) for _, id, text in right]
                assert [reader.get(TABLET, id) for _, id, _ in right] == [text for _, _, text in right]
                assert [w.document for w in data.checkpoint.walk(TABLET, 0, 999)] == [t for _, _, t in right]
                reader.close()
            finally:
                data.close()
        except (DataDamaged, StoreRefused):
            found += 1
        shutil.rmtree(folder)
    assert found > 30


def test_a_folder_of_format_1_gets_checksums(tmp_path: Path) -> None:
    for name in ("log", "data"):
        connection = sqlite3.connect(tmp_path / f"{name}.db")
        connection.executescript((OLD / f"{name}.sql").read_text())
        connection.close()
    for _ in range(2):  # migrated, then as it is
        data = DataFolder(tmp_path, allow_network_file_system=True)
        clock = ManualClock()
        recovered = recover(data.log, data.checkpoint, clock=clock)
        store = Store(open_checkpoint_reader(tmp_path), clock=clock)
        for row in recovered.rows:
            store.row(*row)
        transaction = store.begin(
            writable=False, now_ms=0, budget=TransactionBudget(), random=random.Random(0)
        )
        for index in ("by_n", None):
            found = list(transaction.stream(QueryPlan("notes", index)))
            assert [(each["n"], each["text"]) for each in found] == [(n, f"héllo {n}") for n in range(6)]
            assert transaction.get(found[0]["_id"]) == found[0]
        for request in range(6):
            answer = store.replay("session", request)
            assert answer is not None
            assert answer.result == b'"answer"'
        Checkpointer(data.checkpoint).close()
        data.close()
    person = sqlite3.connect(tmp_path / "data.db")
    tables = [name for (name,) in person.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for table in tables:
        if table != "_meta":
            assert person.execute(f"SELECT count(*) FROM {table} WHERE checksum IS NULL").fetchone() == (0,)
    assert person.execute("SELECT value FROM _meta WHERE name = 'format'").fetchone() == ("2",)
    assert len(person.execute("SELECT * FROM notes").fetchall()) == 4
    person.close()

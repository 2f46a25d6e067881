"""One suite over all implementations of log and checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from convexpy.persistence import (
    CheckpointBatch,
    CheckpointReader,
    CheckpointWriter,
    DocumentChange,
    KeyChange,
    LogRow,
    LogStore,
    MemoryFiles,
    ReplayRecord,
    StoreFull,
)
from convexpy.persistence.postgres import DatabaseAddress, PostgresStore
from convexpy.persistence.sqlite import DataFolder, open_checkpoint_reader


class Files(Protocol):
    """Opens what is under test; each call to `open` finds what the one before left."""

    def open(self) -> tuple[LogStore, CheckpointWriter]: ...
    def reader(self) -> CheckpointReader: ...
    def close(self) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self._files = MemoryFiles()

    def open(self) -> tuple[LogStore, CheckpointWriter]:
        return self._files.log, self._files.writer()

    def reader(self) -> CheckpointReader:
        reader = self._files.reader()
        reader.begin()
        return reader

    def close(self) -> None:
        pass


class InSqlite:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data: DataFolder | None = None
        self._readers: list[CheckpointReader] = []

    def open(self) -> tuple[LogStore, CheckpointWriter]:
        self.close()
        self._data = DataFolder(self._folder, allow_network_file_system=True)
        return self._data.log, self._data.checkpoint

    def reader(self) -> CheckpointReader:
        reader = open_checkpoint_reader(self._folder)
        self._readers.append(reader)
        reader.begin()
        return reader

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        self._readers = []
        if self._data is not None:
            self._data.close()


class InPostgres:
    def __init__(self, url: str) -> None:
        self._address = DatabaseAddress.parse(url)
        self._store: PostgresStore | None = None
        self._opened: list[CheckpointReader | CheckpointWriter] = []

    def open(self) -> tuple[LogStore, CheckpointWriter]:
        self.close()
        self._store = PostgresStore(self._address)
        writer = self._store.writer()
        self._opened.append(writer)
        return self._store.log, writer

    def reader(self) -> CheckpointReader:
        assert self._store is not None
        reader = self._store.reader()
        self._opened.append(reader)
        reader.begin()
        return reader

    def close(self) -> None:
        for each in self._opened:
            each.close()
        self._opened = []
        if self._store is not None:
            self._store.close()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Files]:
    opened: Files
    if request.param == "postgres":
        opened = InPostgres(request.getfixturevalue("postgres").url())
    else:
        opened = InMemory() if request.param == "memory" else InSqlite(tmp_path)
    yield opened
    opened.close()


class Written(NamedTuple):
    writer: CheckpointWriter
    reader: CheckpointReader


T, I = 10001, 10002  # noqa: E741 - a tablet and an index


def document(n: int) -> bytes:
    return b'{"_creationTime":%d,"_id":"id%03d","n":%d}' % (n, n, n)


def batch(seq: int, *numbers: int, gone: tuple[int, ...] = ()) -> CheckpointBatch:
    documents = [DocumentChange(T, f"id{n:03}", float(n), document(n)) for n in numbers]
    documents += [DocumentChange(T, f"id{n:03}", float(n), None) for n in gone]
    keys = [KeyChange(I, b"k%03d" % n, T, f"id{n:03}") for n in numbers]
    keys += [KeyChange(I, b"k%03d" % n, T, None) for n in gone]
    return CheckpointBatch(seq, documents, keys, max_creation_time=float(max(numbers, default=0)))


@pytest.fixture
def filled(files: Files) -> Written:
    _, writer = files.open()
    writer.apply(batch(1, *range(10)))
    return Written(writer, files.reader())


def test_rows_come_back_in_order_and_after_reopening(files: Files) -> None:
    log, _ = files.open()
    assert (log.last_row(), log.first_seq, log.rows(0)) == (None, None, [])
    for seq in range(1, 6):
        log.append(seq, seq * 10, b"entry%d" % seq)
    log, _ = files.open()
    assert log.rows(3) == [LogRow(4, 40, b"entry4"), LogRow(5, 50, b"entry5")]
    assert log.rows(1, limit=1) == [LogRow(2, 20, b"entry2")]
    assert log.last_row() == LogRow(5, 50, b"entry5")
    assert log.first_seq == 1


def test_trimming_takes_the_oldest_rows_and_never_the_last(files: Files) -> None:
    log, _ = files.open()
    assert log.trim(10, 10) == 0
    for seq in range(1, 6):
        log.append(seq, seq, b"")
    assert log.trim(3, 1) == 1
    assert log.first_seq == 2
    assert log.trim(3, 100) == 1
    assert log.trim(100, 100) == 2
    assert (log.first_seq, log.trim(100, 100)) == (5, 0)


def test_wal_calls_leave_everything_as_it_was(files: Files) -> None:
    log, writer = files.open()
    log.append(1, 1, b"x")
    writer.apply(batch(1, 1))
    log.compact()
    log.recover()
    log.probe()
    writer.recover()
    assert writer.compact().waits_for_readers is False
    assert log.rows(0) == [LogRow(1, 1, b"x")]
    assert files.reader().get(T, "id001") == document(1)


def test_documents_are_found_by_id(filled: Written) -> None:
    assert filled.reader.get(T, "id003") == document(3)
    assert filled.reader.get(T, "id999") is None
    assert filled.reader.get(T + 1, "id003") is None
    assert filled.reader.count(T) == 10
    assert filled.reader.count(T + 1) == 0


@pytest.mark.parametrize("desc", [False, True])
def test_ranges_are_half_open_and_come_in_order(filled: Written, desc: bool) -> None:
    def expected(*numbers: int) -> list[tuple[bytes, str, bytes]]:
        found = [(b"k%03d" % n, f"id{n:03}", document(n)) for n in numbers]
        return found[::-1] if desc else found

    def read(lower: bytes, upper: bytes, limit: int = 100) -> list[tuple[bytes, str, bytes]]:
        return filled.reader.range(I, T, lower, upper, desc=desc, limit=limit)

    assert read(b"", b"\xff") == expected(*range(10))
    assert read(b"k002", b"k005") == expected(2, 3, 4)
    assert read(b"k002\0", b"k005\0") == expected(3, 4, 5)
    assert read(b"k002", b"k002") == read(b"k005", b"k002") == []
    assert read(b"", b"\xff", 2) == (expected(8, 9) if desc else expected(0, 1))
    assert filled.reader.range(I + 1, T, b"", b"\xff", desc=desc, limit=5) == []


@pytest.mark.parametrize("desc", [False, True])
def test_ids_are_an_index_too(filled: Written, desc: bool) -> None:
    found = filled.reader.ids(T, b"id002", b"id004\0", desc=desc, limit=9)
    ids = [f"id{n:03}" for n in (2, 3, 4)]
    assert [id for _, id, _ in found] == (ids[::-1] if desc else ids)
    assert all(key == id.encode() for key, id, _ in found)
    assert found[0][2] == document(4 if desc else 2)
    assert filled.reader.ids(T, b"", b"\xff", desc=desc, limit=3)[0][1] == ("id009" if desc else "id000")
    assert filled.reader.ids(T + 1, b"", b"\xff", desc=desc, limit=3) == []


def test_a_batch_changes_and_removes(filled: Written) -> None:
    filled.reader.end()
    changed = DocumentChange(T, "id001", 1.0, b'{"changed":true}')
    keys = [KeyChange(I, b"k001", T, None), KeyChange(I, b"z", T, "id001")]
    gone = batch(2, gone=(2, 77))
    filled.writer.apply(CheckpointBatch(2, [changed, *gone.documents], [*keys, *gone.keys]))
    filled.reader.begin()
    found = filled.reader.range(I, T, b"", b"\xff", desc=True, limit=2)
    assert found[0] == (b"z", "id001", b'{"changed":true}')
    assert filled.reader.get(T, "id002") is None
    assert filled.reader.count(T) == 9
    assert filled.writer.checkpoint_seq == 2


def test_a_reader_sees_one_moment_until_it_renews(filled: Written) -> None:
    assert filled.reader.begin() == 1
    filled.writer.apply(batch(2, 42, gone=(0,)))
    assert filled.reader.begin() == 1
    assert filled.reader.get(T, "id042") is None
    assert filled.reader.get(T, "id000") == document(0)
    assert len(filled.reader.range(I, T, b"", b"\xff", desc=False, limit=99)) == 10
    assert filled.reader.renew() == 2
    assert filled.reader.get(T, "id042") == document(42)
    assert filled.reader.get(T, "id000") is None
    filled.reader.end()
    filled.reader.end()
    assert filled.reader.begin() == 2


def test_a_table_that_comes_later_is_seen_after_renewing(filled: Written) -> None:
    filled.reader.begin()
    assert filled.reader.range(I + 5, T + 5, b"", b"\xff", desc=False, limit=1) == []
    filled.writer.apply(
        CheckpointBatch(2, [DocumentChange(T + 5, "x", 1.0, b"{}")], [KeyChange(I + 5, b"k", T + 5, "x")])
    )
    assert filled.reader.get(T + 5, "x") is None
    filled.reader.renew()
    assert filled.reader.range(I + 5, T + 5, b"", b"\xff", desc=False, limit=1) == [(b"k", "x", b"{}")]


def test_the_checkpoint_survives_reopening(files: Files) -> None:
    _, writer = files.open()
    assert writer.checkpoint_seq == 0
    writer.apply(batch(7, 1, 2))
    _, writer = files.open()
    assert writer.checkpoint_seq == 7
    reader = files.reader()
    assert reader.begin() == reader.begin() == 7
    assert reader.meta("checkpoint_seq") == "7"
    assert reader.meta("max_creation_time") == "2.0"
    assert (reader.meta("format") or "").isdigit()
    assert reader.meta("nothing") is None
    assert writer.stored() == ({T}, {I})


def test_replay_records_are_found_and_age(files: Files) -> None:
    _, writer = files.open()
    records = [ReplayRecord("s", n, 3, 30, b"result%d" % n) for n in range(4)]
    writer.apply(CheckpointBatch(3, replay=records[:3], replay_at_ms=1000))
    writer.apply(CheckpointBatch(4, replay=records[3:], replay_at_ms=2000))
    reader = files.reader()
    assert reader.replay("s", 1) == records[1]
    assert reader.replay("s", 9) is None
    assert reader.replay("t", 1) is None
    assert writer.trim_replay(1000, 10) == 0
    assert writer.trim_replay(1500, 2) == 2
    assert writer.trim_replay(1500, 2) == 1
    reader.renew()
    assert reader.replay("s", 1) is None
    assert reader.replay("s", 3) == records[3]


def test_replay_records_are_listed_in_order(files: Files) -> None:
    _, writer = files.open()
    records = [ReplayRecord(session, n, 3, 30, b"%d" % n) for session in ("a", "b") for n in range(3)]
    writer.apply(CheckpointBatch(1, replay=records[::-1], replay_at_ms=1000))
    reader = files.reader()
    assert reader.replays(("", -1), 100) == [(record, 1000) for record in records]
    assert reader.replays(("a", 1), 2) == [(record, 1000) for record in records[2:4]]
    assert reader.replays(("b", 2), 2) == []


def test_a_walk_meets_every_document_once_and_enters_keys(filled: Written) -> None:
    met = []
    after = 0
    while chunk := filled.writer.walk(T, after, 4):
        filled.writer.enter_keys(I + 1, T, [(b"new" + one.id.encode(), one.n) for one in chunk])
        met += chunk
        after = chunk[-1].n
    assert sorted(one.id for one in met) == [f"id{n:03}" for n in range(10)]
    assert {one.document for one in met} == {document(n) for n in range(10)}
    filled.reader.renew()
    found = filled.reader.range(I + 1, T, b"", b"\xff", desc=False, limit=99)
    assert [(key, id) for key, id, _ in found] == [(b"newid%03d" % n, f"id{n:03}") for n in range(10)]
    assert filled.writer.walk(T + 1, 0, 4) == []


def test_indexes_and_tablets_are_dropped_in_slices(filled: Written) -> None:
    def drop(step: Callable[[int, int], bool], number: int) -> None:
        for _ in range(20):
            if step(number, 3):
                return
        pytest.fail("still there")

    drop(filled.writer.drop_index, I)
    drop(filled.writer.drop_index, I)
    assert filled.writer.stored() == ({T}, set())
    drop(filled.writer.drop_tablet, T)
    assert filled.writer.stored() == (set(), set())
    filled.reader.renew()
    assert filled.reader.get(T, "id001") is None
    filled.writer.apply(batch(2, 5))
    filled.reader.renew()
    assert filled.reader.get(T, "id005") == document(5)


def test_keys_of_any_length_and_bytes_come_in_order(files: Files) -> None:
    _, writer = files.open()
    long = [
        b"k" * 2000,
        b"k" * 1999,
        b"k" * 2001,
        b"k" * 5000,
        b"k" * 5000 + b"\0",
        b"k" * 4999 + b"\xff",
        b"\0",
        b"\xff\xfe",
    ]
    documents = [DocumentChange(T, f"id{n:03}", float(n), document(n)) for n in range(len(long))]
    keys = [KeyChange(I, key, T, f"id{n:03}") for n, key in sorted(enumerate(long), key=lambda pair: pair[1])]
    writer.apply(CheckpointBatch(1, documents, keys))
    reader = files.reader()

    def read(lower: bytes, upper: bytes, *, desc: bool = False) -> list[bytes]:
        return [key for key, _, _ in reader.range(I, T, lower, upper, desc=desc, limit=100)]

    ordered = sorted(long)
    assert read(b"", b"\xff" * 3000) == ordered
    assert read(b"", b"\xff" * 3000, desc=True) == ordered[::-1]
    for lower in ordered:
        for upper in ordered:
            assert read(lower, upper) == [key for key in ordered if lower <= key < upper]
    gone = [KeyChange(I, key, T, None) for key in ordered if len(key) == 5000]
    writer.apply(CheckpointBatch(2, keys=gone))
    reader.renew()
    assert read(b"", b"\xff" * 3000) == [key for key in ordered if len(key) != 5000]


def test_documents_of_all_kinds_are_kept_to_the_byte(files: Files) -> None:
    _, writer = files.open()
    kept = [
        '{"a":"\\u0000\\ud800","b":{"$float":"AAAAAAAA+H8="}, "z":1,"a":-0.0}',
        '{"text":"😀 é\\n"}',
        "{}",
    ]
    documents = [DocumentChange(T, f"id{n}", 0.0, text.encode()) for n, text in enumerate(kept)]
    writer.apply(CheckpointBatch(1, documents))
    reader = files.reader()
    assert [document for _, _, document in reader.ids(T, b"", b"\xff", desc=False, limit=9)] == [
        text.encode() for text in kept
    ]
    assert reader.measure(T) == (3, sum(len(text.encode()) for text in kept))


def test_rows_since_a_moment_are_found(files: Files) -> None:
    log, _ = files.open()
    for seq in range(1, 4):
        log.append(seq, seq * 10, b"entry")
    assert [row.seq for row in log.rows_since(25, 100) or ()] == [2, 3]
    assert log.rows_since(5, 100) is None
    assert log.rows_since(10, 14) is None
    assert log.sizes() == [(10, 5), (20, 5), (30, 5)]


def test_a_full_log_refuses_and_recovers() -> None:
    files = MemoryFiles(capacity_rows=1)
    log = files.log
    log.append(1, 1, b"")
    with pytest.raises(StoreFull):
        log.append(2, 2, b"")
    with pytest.raises(StoreFull):
        log.probe()
    files.capacity_rows = None
    log.probe()
    log.append(2, 2, b"")
    assert len(log.rows(0)) == 2

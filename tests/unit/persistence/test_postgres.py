"""PostgreSQL as the engine: what its own failures do, over the suite that all engines pass."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.postgres import PASSWORD, PostgresServer
from support.processes import wait_for

from convexpy.errors import Error
from convexpy.persistence import (
    CheckpointBatch,
    DocumentChange,
    KeyChange,
    LogRow,
    OutcomeUnknown,
    StoreFull,
    StoreRefused,
    StoreUnreachable,
    open_reader,
)
from convexpy.persistence.postgres import (
    DatabaseAddress,
    PostgresCheckpointReader,
    PostgresStore,
    _lease,
    _refusals,
    _tables,
    store as store_module,
)
from convexpy.persistence.sqlite import DataFolder

pytestmark = pytest.mark.slow

T, I = 10001, 10002  # noqa: E741 - a tablet and an index


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.url()


@pytest.fixture
def opened() -> Iterator[Callable[..., PostgresStore]]:
    stores: list[PostgresStore] = []

    def open(url: str, folder: Path | None = None) -> PostgresStore:
        store = PostgresStore(DatabaseAddress.parse(url), folder)
        stores.append(store)
        return store

    yield open
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[..., PostgresStore], url: str) -> PostgresStore:
    return opened(url)


def schema_of(url: str) -> str:
    return url.partition("?schema=")[2]


def document(id: str, seq: int) -> CheckpointBatch:
    text = f'{{"_id":"{id}","n":{seq}}}'
    return CheckpointBatch(
        seq, [DocumentChange(T, id, 1.0, text.encode())], [KeyChange(I, id.encode(), T, id)]
    )


def refused(url: str, folder: Path | None = None) -> StoreRefused:
    with pytest.raises(StoreRefused) as caught:
        PostgresStore(DatabaseAddress.parse(url), folder)
    assert caught.value.hint
    return caught.value


# The log


def test_an_append_goes_on_over_a_new_connection(postgres: PostgresServer, store: PostgresStore) -> None:
    for seq in range(1, 6):
        store.log.append(seq, seq, b"entry")
        postgres.cut_connections()
    assert [row.seq for row in store.log.rows(0)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("commits", [True, False])
def test_an_append_without_an_answer_is_there_once(
    monkeypatch: pytest.MonkeyPatch, store: PostgresStore, commits: bool
) -> None:
    store.log.append(1, 1, b"one")
    link, run = store.log._link, store.log._link.run
    lost: list[str] = []

    def losing(text: str, parameters: Any = ()) -> Any:
        if text.startswith("INSERT") and not lost:
            lost.append(text)
            if commits:
                run(text, parameters)
            link.open().close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return run(text, parameters)

    monkeypatch.setattr(link, "run", losing)
    store.log.append(2, 2, b"two")
    store.log.append(3, 3, b"three")
    assert lost
    assert store.log.rows(0) == [LogRow(1, 1, b"one"), LogRow(2, 2, b"two"), LogRow(3, 3, b"three")]


def test_an_append_that_is_cut_while_it_waits_is_there_once(
    postgres: PostgresServer, store: PostgresStore, url: str
) -> None:
    store.log.append(1, 1, b"one")
    waiting = threading.Thread(target=store.log.append, args=(2, 2, b"two"))
    with psycopg.connect(url.partition("?")[0], autocommit=False) as other:
        other.execute(f"LOCK TABLE {schema_of(url)}._log IN EXCLUSIVE MODE".encode())
        waiting.start()
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_for(lambda: postgres.query(cut), what="an append that waits")
        wait_for(lambda: postgres.query(cut), what="its repetition")
    waiting.join()
    assert store.log.rows(0) == [LogRow(1, 1, b"one"), LogRow(2, 2, b"two")]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_row_is_lost_when_the_database_is_restarted(
    postgres: PostgresServer, store: PostgresStore, how: signal.Signals
) -> None:
    appended: list[int] = []
    stopping = threading.Event()

    def append() -> None:
        while not stopping.is_set():
            seq = len(appended) + 1
            store.log.append(seq, seq, b"%d" % seq)
            appended.append(seq)

    thread = threading.Thread(target=append)
    thread.start()
    wait_for(lambda: len(appended) > 20, what="rows before")
    postgres.restart(how)
    before = len(appended)
    wait_for(lambda: len(appended) > before + 20, what="rows after")
    stopping.set()
    thread.join()
    assert [(row.seq, row.entry) for row in store.log.rows(0)] == [(seq, b"%d" % seq) for seq in appended]


def test_a_log_that_went_back_is_noticed(postgres: PostgresServer, store: PostgresStore, url: str) -> None:
    for seq in (1, 2):
        store.log.append(seq, seq, b"")
    postgres.query(f"DELETE FROM {schema_of(url)}._log WHERE seq = 2")
    with pytest.raises(OutcomeUnknown, match="went back"):
        store.log.append(3, 3, b"")


def test_a_row_of_another_server_is_noticed(postgres: PostgresServer, store: PostgresStore, url: str) -> None:
    store.log.append(1, 1, b"")
    postgres.query(f"INSERT INTO {schema_of(url)}._log VALUES(2, 2, 'other', '')")
    with pytest.raises(OutcomeUnknown, match="another server"):
        store.log.append(2, 2, b"")


@pytest.mark.parametrize(
    ("setting", "said"),
    [("synchronous_commit = off", "synchronous_commit"), ("default_transaction_read_only = on", "read-only")],
)
def test_appends_are_refused_while_the_database_does_not_keep_them(
    postgres: PostgresServer, store: PostgresStore, setting: str, said: str
) -> None:
    store.log.append(1, 1, b"")
    postgres.query(f"ALTER SYSTEM SET {setting}")
    name = setting.partition(" ")[0]
    try:
        postgres.query("SELECT pg_reload_conf()")
        wait_for(lambda: postgres.query(f"SHOW {name}")[0][0] in ("off", "on"))

        def refusing() -> str:
            try:
                store.log.probe()
            except StoreFull as error:
                return str(error)
            return ""

        assert said in wait_for(refusing, what="the setting")
        with pytest.raises(StoreFull, match=said):
            store.log.append(2, 2, b"")
    finally:
        with psycopg.connect(postgres.url().partition("?")[0], autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER SYSTEM RESET {name}".encode())
            connection.execute("SELECT pg_reload_conf()")
    wait_for(lambda: not refusing(), what="the setting as it was")
    store.log.append(2, 2, b"")
    assert [row.seq for row in store.log.rows(0)] == [1, 2]


def test_a_statement_timeout_refuses_an_append_and_leaves_nothing(
    postgres: PostgresServer, opened: Callable[..., PostgresStore]
) -> None:
    postgres.query("CREATE ROLE hasty LOGIN SUPERUSER")
    postgres.query("ALTER ROLE hasty SET statement_timeout = '200ms'")
    url = postgres.url(user="hasty")
    store = opened(url)
    store.log.append(1, 1, b"one")
    with psycopg.connect(url.partition("?")[0].replace("hasty", "postgres")) as other:
        other.execute(f"LOCK TABLE {schema_of(url)}._log IN EXCLUSIVE MODE".encode())
        with pytest.raises(StoreFull, match="statement_timeout"):
            store.log.append(2, 2, b"two")
    store.log.append(2, 2, b"two, again")
    assert store.log.rows(1) == [LogRow(2, 2, b"two, again")]


def test_a_commit_that_was_not_replicated_is_not_answered(
    postgres: PostgresServer, store: PostgresStore
) -> None:
    store.log.append(1, 1, b"one")
    postgres.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    waiting = threading.Thread(target=store.log.append, args=(2, 2, b"two"))
    cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    try:
        postgres.query("SELECT pg_reload_conf()")
        wait_for(lambda: postgres.query("SHOW synchronous_standby_names") == [("nobody",)])
        waiting.start()
        for _ in range(3):
            wait_for(lambda: postgres.query(cancel), what="a commit that waits for the standby")
        assert waiting.is_alive()
    finally:
        with psycopg.connect(postgres.url().partition("?")[0], autocommit=True) as connection:
            connection.execute("SET synchronous_commit = local")
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")
        waiting.join()
    assert [row.seq for row in store.log.rows(0)] == [1, 2]


def test_a_full_disk_is_told_from_other_errors() -> None:
    full = _refusals.full(psycopg.errors.DiskFull("could not extend file: No space left on device"))
    assert full is not None
    assert "disk of the database is full" in str(full)
    assert _refusals.full(psycopg.errors.UndefinedTable("relation does not exist")) is None


# The checkpoint


def test_a_checkpoint_is_applied_once_over_lost_connections(
    postgres: PostgresServer, store: PostgresStore
) -> None:
    writer = store.writer()
    for seq in range(1, 4):
        writer.apply(document(f"id{seq}", seq))
        postgres.cut_connections()
    assert writer.stored() == ({T}, {I})
    reader = store.reader()
    assert reader.begin() == writer.checkpoint_seq == 3
    assert reader.count(T) == 3
    reader.close()
    writer.close()


def test_a_reader_whose_connection_is_cut_reads_on_at_the_same_row(
    postgres: PostgresServer, store: PostgresStore
) -> None:
    writer, reader, other = store.writer(), store.reader(), open_reader(store.address, may_advance=True)
    writer.apply(document("a", 1))
    reader.begin()
    other.begin()
    postgres.cut_connections()
    assert reader.get(T, "a") == other.get(T, "a") == b'{"_id":"a","n":1}'
    writer.apply(document("a", 2))
    assert reader.get(T, "a") == other.get(T, "a") == b'{"_id":"a","n":1}'
    postgres.cut_connections()
    assert other.get(T, "a") == b'{"_id":"a","n":2}'
    with pytest.raises(StoreUnreachable, match="moved on"):
        reader.get(T, "a")
    assert reader.renew() == 2
    for each in (writer, reader, other):
        each.close()


def test_a_dropped_table_stays_for_those_who_began_before(
    postgres: PostgresServer, store: PostgresStore, url: str
) -> None:
    writer, reader = store.writer(), store.reader()
    writer.apply(document("a", 1))
    reader.begin()
    assert writer.drop_index(I, 100)
    assert writer.drop_tablet(T, 100)
    writer.compact()
    assert reader.range(I, T, b"", b"z", desc=False, limit=9) == [(b"a", "a", b'{"_id":"a","n":1}')]
    reader.renew()
    assert reader.get(T, "a") is None
    reader.end()
    writer.compact()
    tables = (
        f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema_of(url)}' AND tablename ~ '^_[ti][0-9]'"
    )
    assert postgres.query(tables) == [(0,)]
    writer.close()
    reader.close()


def test_tables_are_views_that_sql_can_read(postgres: PostgresServer, store: PostgresStore, url: str) -> None:
    writer, s = store.writer(), schema_of(url)
    long = "n" * 64
    writer.apply(
        CheckpointBatch(1, [DocumentChange(T, "a", 1.5, b'{"n":7}')], tables={"Users": T, long: T + 1})
    )
    assert postgres.query(f"""SELECT _id, "_creationTime", document ->> 'n' FROM {s}."Users" """) == [
        ("a", 1.5, "7")
    ]
    assert postgres.query(f'SELECT count(*) FROM {s}."{T + 1} {long}"') == [(0,)]
    with psycopg.connect(url.partition("?")[0]) as analyst:
        analyst.execute(f'SELECT * FROM {s}."Users"'.encode())
        writer.apply(CheckpointBatch(2, tables={"people": T}))
        assert postgres.query(f'SELECT count(*) FROM {s}."Users"') == [(1,)]
    writer.apply(CheckpointBatch(3))
    assert postgres.query(f"SELECT document::text FROM {s}.people") == [('{"n":7}',)]
    assert postgres.query(f"SELECT viewname::text FROM pg_views WHERE schemaname = '{s}'") == [("people",)]
    writer.close()


# Opening


def test_a_second_server_is_refused_and_takes_over_from_a_dead_one(
    opened: Callable[..., PostgresStore], store: PostgresStore, url: str
) -> None:
    store.log.append(1, 1, b"")
    error = refused(url)
    assert error.code == "DatabaseInUse"
    assert f"process {os.getpid()}" in error.message
    # As after kill -9: nothing is given up, the connections are gone.
    store._lease._stopping.set()
    store._lease._thread.join()
    store._lease._close()
    second = opened(url)
    second.log.append(2, 2, b"")
    with pytest.raises(OutcomeUnknown, match="another server"):
        store.log.append(2, 2, b"")
    writer = store.writer()
    with pytest.raises(OutcomeUnknown, match="owns this deployment"):
        writer.apply(document("a", 1))
    writer.close()


def test_a_server_learns_that_another_has_taken_over(
    monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer, opened: Callable[..., PostgresStore], url: str
) -> None:
    monkeypatch.setattr(_lease, "RENEWED_EVERY_S", 0.1)
    store = opened(url)
    lost: list[BaseException] = []
    store.watch(lost.append)
    postgres.query(f"UPDATE {schema_of(url)}._lease SET holder = 'other'")
    wait_for(lambda: lost, what="the loss")


@pytest.fixture
def leases(opened: Callable[..., PostgresStore], url: str) -> Iterator[list[_lease.Lease]]:
    opened(url).close()  # makes the tables
    leases = [_lease.Lease(DatabaseAddress.parse(url), node=name) for name in ("one:1", "two:1")]
    yield leases
    for lease in leases:
        lease.release()


def test_a_cut_connection_costs_nobody_its_lease(
    postgres: PostgresServer, leases: list[_lease.Lease]
) -> None:
    holder, other = leases
    assert holder.try_to_take() is None
    cuts = 0
    until = time.monotonic() + 2 * _lease.GRACE_S
    while time.monotonic() < until:
        with contextlib.suppress(StoreUnreachable):
            assert other.try_to_take() == "one:1"
            cuts += postgres.cut_connections()
    assert cuts > 2
    wait_for(lambda: holder.is_held, what="the lease to be renewed")


def test_a_lease_whose_holder_is_gone_is_taken_when_the_holder_may_answer_no_more(
    leases: list[_lease.Lease],
) -> None:
    holder, other = leases
    assert holder.try_to_take() is None
    holder._stopping.set()  # as after kill -9: nothing is renewed, the connection is gone
    holder._wake.send(b"\0")
    holder._thread.join()
    holder._close()
    assert other.try_to_take() == "one:1"
    wait_for(lambda: other.try_to_take() is None, what="the lease to be taken")
    assert other.is_held
    assert not holder.is_held


def test_a_lease_that_was_given_up_is_taken_at_once(leases: list[_lease.Lease]) -> None:
    holder, other = leases
    assert holder.try_to_take() is None
    holder.release()
    assert other.try_to_take() is None


def test_a_clock_that_is_far_off_is_said(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    opened: Callable[..., PostgresStore],
    url: str,
) -> None:
    monkeypatch.setattr(store_module, "CLOCK_DIFFERENCE_MAX_S", -1.0)
    opened(url)
    assert "its clock is" in caplog.text


def test_the_driver_is_imported_only_for_a_database() -> None:
    code = "import sys, convexpy.serve.server, convexpy.sandbox.worker; sys.exit('psycopg' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_two_deployments_live_in_one_database(
    opened: Callable[..., PostgresStore], postgres: PostgresServer
) -> None:
    stores = [opened(postgres.url()) for _ in range(2)]
    stores[0].log.append(1, 1, b"first")
    assert stores[1].log.rows(0) == []
    assert stores[0].deployment_id != stores[1].deployment_id


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("postgres@", "secret:wrong-password@"), "user or password is wrong"),
        (("127.0.0.1", "nowhere.invalid"), "no host of that name"),
        (("/postgres?", "/missing?"), "does not exist"),
    ],
)
def test_an_address_that_does_not_work_is_explained(
    postgres: PostgresServer, url: str, change: tuple[str, str], said: str
) -> None:
    postgres.secret_url()
    error = refused(url.replace(*change))
    assert error.code == "DatabaseUnreachable"
    assert said in error.message
    assert "wrong-password" not in repr(error) + error.message + (error.hint or "")


def test_a_server_that_is_not_there_is_explained(url: str, postgres: PostgresServer) -> None:
    assert "nothing answers" in refused(url.replace(str(postgres.port), "1")).message


def test_missing_rights_are_named(postgres: PostgresServer) -> None:
    if not postgres.query("SELECT 1 FROM pg_roles WHERE rolname = 'weak'"):
        postgres.query("CREATE ROLE weak LOGIN")
    error = refused(postgres.url(user="weak"))
    assert (error.code, "permission denied" in error.message) == ("DatabaseRefused", True)
    assert "AUTHORIZATION" in (error.hint or "")


def test_a_schema_of_something_else_is_refused(postgres: PostgresServer) -> None:
    url = postgres.url()
    postgres.query(f"CREATE SCHEMA {schema_of(url)}")
    postgres.query(f"CREATE TABLE {schema_of(url)}.orders(n integer)")
    error = refused(url)
    assert "orders" in error.message
    assert "--database-schema" in (error.hint or "")


def test_a_database_of_another_encoding_is_refused(postgres: PostgresServer) -> None:
    if not postgres.query("SELECT 1 FROM pg_database WHERE datname = 'latin'"):
        postgres.query("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    assert "LATIN1" in refused(postgres.url(database="latin")).message


def test_a_role_whose_commits_may_be_lost_is_refused(postgres: PostgresServer, url: str) -> None:
    postgres.query("CREATE ROLE careless LOGIN SUPERUSER")
    postgres.query("ALTER ROLE careless SET synchronous_commit = off")
    assert "synchronous_commit is off" in refused(url.replace("postgres@", "careless@")).message


def test_a_newer_format_is_refused_and_an_older_one_is_migrated(
    monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer, opened: Callable[..., PostgresStore], url: str
) -> None:
    opened(url).close()
    newest = _tables.FORMAT
    monkeypatch.setattr(_tables, "FORMAT", newest + 1)
    monkeypatch.setattr(_tables, "MIGRATIONS", {newest: ("ALTER TABLE {s}._replay ADD COLUMN note text",)})
    opened(url).close()
    assert postgres.query(f"SELECT count(note) FROM {schema_of(url)}._replay") == [(0,)]
    monkeypatch.undo()
    error = refused(url)
    assert (error.code, f"format {newest + 1}" in error.message) == ("NewerFormat", True)


def test_a_data_folder_belongs_to_one_server_and_to_one_engine(
    tmp_path: Path, opened: Callable[..., PostgresStore], postgres: PostgresServer
) -> None:
    first = opened(postgres.url(), tmp_path)
    assert refused(postgres.url(), tmp_path).code == "DataFolderInUse"
    first.close()
    with pytest.raises(StoreRefused, match="is in a database"):
        DataFolder(tmp_path, allow_network_file_system=True)
    assert refused(postgres.url(), tmp_path).code == "DeploymentMismatch"
    files = tmp_path / "files"
    DataFolder(files, allow_network_file_system=True).close()
    assert "database copy" in (refused(postgres.url(), files).hint or "")


def test_service_and_password_files_reach_other_processes(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    postgres: PostgresServer,
    opened: Callable[..., PostgresStore],
) -> None:
    postgres.secret_url()
    service, passwords = tmp_path / "services", tmp_path / "passwords"
    service.write_text(f"[app]\nhost=127.0.0.1\nport={postgres.port}\nuser=secret\ndbname=postgres\n")
    passwords.write_text(f"127.0.0.1:{postgres.port}:*:secret:{PASSWORD}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    store = opened(f"postgresql:///?service=app&schema={schema_of(postgres.url())}")
    monkeypatch.delenv("PGSERVICEFILE")
    monkeypatch.delenv("PGPASSFILE")
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    reader = open_reader(store.address)
    assert isinstance(reader, PostgresCheckpointReader)
    assert reader.begin() == 0
    reader.close()
    assert PASSWORD not in str(store._address) + repr(store._address)


def test_addresses_are_read_as_libpq_does_and_never_repeated() -> None:
    address = DatabaseAddress.parse("postgres://u:p%40ss@db.example.com:6543/app?sslmode=require&schema=two")
    assert address.schema == "two"
    assert address.parameters["password"] == "p@ss"
    assert address.parameters["sslmode"] == "require"
    assert str(address) == "PostgreSQL at db.example.com, port 6543, database app, schema two"
    assert DatabaseAddress.decode(address.encode()) == address
    assert "p@ss" not in repr(address)
    for wrong in (
        "mysql://u:hidden@h/d",
        "postgresql://u:hidden@h/d?nonsense=1",
        "postgresql://u:hidden@[h/d",
    ):
        with pytest.raises(Error) as caught:
            DatabaseAddress.parse(wrong)
        assert "hidden" not in caught.value.message + (caught.value.hint or "")
        assert caught.value.code == "DatabaseAddressInvalid"

"""What is wrong with a database server is said with what to do: TLS, version, replicas, full disks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.certificates import write_certificate
from support.postgres import PASSWORD, PostgresServer, postgres_server

from convexpy.errors import Error
from convexpy.persistence import CheckpointBatch, DocumentChange, StoreFull
from convexpy.persistence.postgres import DatabaseAddress, PostgresStore, store as store_module

pytestmark = pytest.mark.slow


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.url()


def refused(url: str, read: str | None = None) -> Error:
    """Return the error of opening a store."""
    with pytest.raises(Error) as caught:
        PostgresStore(DatabaseAddress.parse(url), read=None if read is None else DatabaseAddress.parse(read))
    return caught.value


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server of this test's own, whose settings may be changed."""
    with postgres_server() as server:
        yield server


def test_tls_is_verified(own_server: PostgresServer, tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path)
    other, _ = write_certificate(tmp_path, name="other")
    for path, name in ((certificate, "server.crt"), (key, "server.key")):
        copied = own_server.data / name
        shutil.copyfile(path, copied)
        copied.chmod(0o600)
    own_server.give(own_server.data)
    with (own_server.data / "postgresql.auto.conf").open("a") as settings:
        settings.write("ssl = on\n")
    (own_server.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
    own_server.restart()
    url = own_server.url()
    verified = f"{url}&sslmode=verify-full&sslrootcert="
    store = PostgresStore(DatabaseAddress.parse(f"{verified}{certificate}"))
    (encrypted,) = own_server.query(
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
        "WHERE application_name LIKE 'convexpy%'"
    )
    assert encrypted == (True,)
    # Another process has what it needs to connect as safely.
    assert f'"sslrootcert":"{certificate}"' in store.address
    store.close()
    error = refused(f"{verified}{other}")
    assert (error.code, "TLS could not be agreed on" in error.message) == ("DatabaseUnreachable", True)
    assert "sslrootcert" in (error.hint or "")
    by_name = f"{verified}{certificate}".replace("@127.0.0.1", "@localhost")
    assert "TLS could not be agreed on" in refused(by_name).message
    assert "only lets this machine in with TLS" in refused(f"{url}&sslmode=disable").message


def test_a_server_of_an_older_version_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(store_module, "VERSION_MIN", 990000)
    error = refused(url)
    assert error.code == "DatabaseRefused"
    assert "the server is PostgreSQL" in error.message
    assert "needs PostgreSQL 15" in (error.hint or "")


def test_a_replica_is_refused(own_server: PostgresServer) -> None:
    with own_server.replica() as replica:
        error = refused(own_server.url().replace(str(own_server.port), str(replica)))
        assert "is a replica" in error.message
        assert "target_session_attrs" in (error.hint or "")
        # Of several hosts, the one that can be written to is found.
        several = own_server.url().replace(
            f"127.0.0.1:{own_server.port}", f"127.0.0.1:{replica},127.0.0.1:{own_server.port}"
        )
        PostgresStore(DatabaseAddress.parse(f"{several}&target_session_attrs=read-write")).close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("//reads:", "//secret:"), "may write"),
        (("/postgres", "/template1"), "does not exist"),
        ((PASSWORD, "wrong"), "password is wrong"),
        (("127.0.0.1", "nowhere.invalid"), "no host of that name"),
    ],
)
def test_an_address_for_reading_that_cannot_be_used_is_refused(
    postgres: PostgresServer, change: tuple[str, str], said: str
) -> None:
    error = refused(postgres.secret_url(), postgres.reading_url().replace(*change))
    assert said in error.message
    assert error.hint
    assert PASSWORD not in repr(error) + error.message + error.hint


@pytest.fixture
def small_disk(own_server: PostgresServer) -> Iterator[Path]:
    """A file system of 8 MiB that belongs to the server."""
    folder = own_server.folder / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    own_server.give(folder)
    yield folder
    own_server.stop()
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_refuses_commits_until_there_is_room(
    own_server: PostgresServer, small_disk: Path
) -> None:
    own_server.query(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    own_server.query("ALTER ROLE postgres SET default_tablespace = 'small'")
    store = PostgresStore(DatabaseAddress.parse(own_server.url()))
    writer = store.writer()
    full = 1
    with contextlib.suppress(StoreFull):
        while full < 40:
            store.log.append(full, full, os.urandom(500_000))
            full += 1
    with pytest.raises(StoreFull, match="the disk of the database is full"):
        store.log.append(full, full, os.urandom(500_000))
    # It is surely not there.
    last = store.log.last_row()
    assert last is not None
    assert last.seq == full - 1
    document = f'{{"text":"{os.urandom(1_500_000).hex()}"}}'.encode()
    batch = CheckpointBatch(1, [DocumentChange(10001, "d" * 32, 1.0, document)])
    with pytest.raises(StoreFull, match="the disk of the database is full"):
        writer.apply(batch)
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    store.log.append(full, full, os.urandom(500_000))
    writer.apply(batch)
    assert writer.checkpoint_seq == 1
    writer.close()
    store.close()

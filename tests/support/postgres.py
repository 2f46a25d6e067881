"""A PostgreSQL server for a test run: Debian's, on a free port and its own data folder, as a user that is not root."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

VERSION_MIN = 15
MISSING = (
    "PostgreSQL IS NOT TESTED: no server of version 15 or later is installed here, and scripts/test could not install it "
    "(apt-get install postgresql)"
)
PASSWORD = "correct-password"
_HBA = "host replication all 127.0.0.1/32 trust\nhost all secret,reads 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
_SETTINGS = (
    "max_connections=100",
    "shared_buffers=32MB",
    "listen_addresses=127.0.0.1",
    "timezone=UTC",
)


_FORGETFUL = ("fsync=off", "full_page_writes=off", "autovacuum=off")


def binaries() -> Path | None:
    """Return the folder of the newest installed server's programs, or None."""
    found = [
        folder
        for folder in Path("/usr/lib/postgresql").glob("*/bin")
        if folder.parent.name.isdigit()
        and int(folder.parent.name) >= VERSION_MIN
        and (folder / "postgres").exists()
    ]
    return max(found, key=lambda folder: int(folder.parent.name), default=None)


class PostgresServer:
    """A running server; `url` is an address whose schema nobody else has."""

    def __init__(self, bin: Path, *, durable: bool = False) -> None:
        self._bin = bin
        self._settings = _SETTINGS if durable else (*_SETTINGS, *_FORGETFUL)
        self.folder = Path(tempfile.mkdtemp(prefix="convexpy-pg-", dir="/tmp"))
        self._user = pwd.getpwuid(os.getuid())
        if os.getuid() == 0:
            self._user = _unprivileged()
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._run(
            "initdb", "-D", str(self.data), "-U", "postgres", "--no-sync", "--encoding=UTF8", "--locale=C"
        )
        (self.data / "pg_hba.conf").write_text(_HBA)
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def unprivileged(self) -> list[str]:
        """The beginning of a command that makes it end with this process, and not run as root."""
        user = ["--reuid", str(self._user.pw_uid), "--regid", str(self._user.pw_gid), "--clear-groups"]
        return ["setpriv", *(user if os.getuid() == 0 else []), "--pdeathsig", "INT", "--"]

    def give(self, folder: Path) -> None:
        """Make a folder the server's user's."""
        for path in (folder, *folder.iterdir()):
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self.unprivileged, str(self._bin / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = [part for setting in self._settings for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.unprivileged, str(self._bin / "postgres"), "-D", str(self.data), "-p", str(self.port), "-k", str(self.folder),
                 *settings],
                stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + 60
        while True:
            try:
                self.query("SELECT 1")
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < until, "PostgreSQL does not start"
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT rolls back what is under way and cuts connections, SIGKILL is a crash."""
        if self._process is not None:
            # Its children would notice its end, but only in a moment, and hold the shared memory until then.
            for pid in self._processes() if how == signal.SIGKILL else [self._process.pid]:
                _signal(pid, how)
            self._process.wait(60)
            self._process = None

    def _processes(self) -> list[int]:
        pid = self.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()

    @contextmanager
    def frozen(self) -> Generator[None]:
        """Let all its processes stand still."""
        stopped = self._processes()
        try:
            for pid in stopped:
                _signal(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in stopped:
                _signal(pid, signal.SIGCONT)

    def url(self, *, user: str = "postgres", database: str = "postgres", schema: str | None = None) -> str:
        schema = f"s{next(self._numbers)}_{os.getpid()}" if schema is None else schema
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}?schema={schema}"

    def query(self, text: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the superuser."""
        address = f"host=127.0.0.1 port={self.port} user=postgres dbname={database} connect_timeout=5"
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(text.encode())
            return cursor.fetchall() if cursor.description else []

    def secret_url(self) -> str:
        """Return an address with a password, of a role that may make schemas."""
        if not self.query("SELECT 1 FROM pg_roles WHERE rolname = 'secret'"):
            self.query(f"CREATE ROLE secret LOGIN PASSWORD '{PASSWORD}'")
            self.query("GRANT CREATE ON DATABASE postgres TO secret")
        return self.url(user=f"secret:{PASSWORD}")

    def reading_url(self) -> str:
        """Return an address with a password, of a role that owns nothing."""
        if not self.query("SELECT 1 FROM pg_roles WHERE rolname = 'reads'"):
            self.query(f"CREATE ROLE reads LOGIN PASSWORD '{PASSWORD}'")
        return self.url(user=f"reads:{PASSWORD}").partition("?")[0]

    def cut_connections(self) -> int:
        """Cut all connections but this one; return how many."""
        return len(
            self.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        )

    @contextmanager
    def replica(self) -> Generator[int]:
        """Run a standby of this server; yields its port."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        data = self.folder / f"replica-{port}"
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        self._run("pg_basebackup", "-D", str(data), "-R", "--checkpoint=fast", "--no-sync", *address)
        with (self.folder / "replica.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.unprivileged, str(self._bin / "postgres"), "-D", str(data), "-p", str(port), "-k", str(self.folder)],
                stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        try:
            until = time.monotonic() + 60
            address_of_it = f"host=127.0.0.1 port={port} user=postgres dbname=postgres connect_timeout=5"
            while True:
                with contextlib.suppress(psycopg.OperationalError), psycopg.connect(address_of_it):
                    break
                assert time.monotonic() < until, (self.folder / "replica.log").read_text()
                time.sleep(0.05)
            yield port
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def pooler(server: PostgresServer) -> Generator[int]:
    """Run PgBouncer in transaction mode in front of a server; yields its port."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    folder = server.folder / f"pooler-{port}"
    folder.mkdir()
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = user=postgres host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nauth_type = any\nauth_file = \npool_mode = transaction\ndefault_pool_size = 10\n"
        f"unix_socket_dir =\nlogfile = {folder / 'log'}\n"
    )
    server.give(folder)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*server.unprivileged, program, str(settings)], stdout=output, stderr=output
        )
    try:
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < until, "PgBouncer does not start"
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


@contextmanager
def postgres_server() -> Generator[PostgresServer]:
    """Run a server; the test is skipped, loudly, where none is installed."""
    bin = binaries()
    if bin is None or shutil.which("setpriv") is None:
        pytest.skip(MISSING)
    server = PostgresServer(bin)
    try:
        yield server
    finally:
        server.close()

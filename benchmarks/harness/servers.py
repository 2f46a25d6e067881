"""The servers that are measured: a convexpy server of this checkout, and the Node programs it is compared with."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from harness.processes import frozen
from harness.report import progress

BENCHMARKS = Path(__file__).parents[1]
ROOT = BENCHMARKS.parent


def environment() -> dict[str, str]:
    """Return an environment in which the packages of this checkout are imported."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "cli")])
    return {**os.environ, "PYTHONPATH": path}


def raise_file_limit() -> None:
    """Allow as many open sockets as the system does; child processes inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Process:
    """A server process that says in one line of JSON that it is ready."""

    def __init__(
        self, command: list[str], *, log: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        # Its standard input ends with this process, however that ends: nothing stays behind.
        inherited, self._lifeline = os.pipe()
        self._errors = log.open("ab")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._errors, stdin=inherited, cwd=cwd,
            env={**environment(), **(env or {})}, start_new_session=True,
        )  # fmt: skip
        os.close(inherited)
        assert self.process.stdout is not None  # piped
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(command)} did not start:\n{log.read_text()[-2000:]}")
        self.ready: dict[str, Any] = json.loads(line)
        self.port: int = urlsplit(self.ready["url"]).port or 0

    @property
    def pid(self) -> int:
        """The root of the process tree."""
        return self.process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop as Ctrl-C does, and wait."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        self._close()

    def kill(self) -> None:
        """End as kill -9 does, and wait."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._errors.close()
        os.close(self._lifeline)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        """POST JSON; return the JSON of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        with contextlib.closing(connection):
            sent = {"Content-Type": "application/json", **(headers or {})}
            connection.request("POST", path, body=json.dumps(body), headers=sent)
            response = connection.getresponse()
            answer = json.loads(response.read())
            if response.status != 200:
                raise SystemExit(f"POST {path}: {response.status} {answer}")
            return answer


class Server(Process):
    """A convexpy server; starting another on the same folder goes on with its data."""

    def __init__(
        self,
        data: Path,
        *arguments: str,
        cpu_limit_s: float = 30.0,
        database: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        # Seeding is in mutations as large as the limits allow; on a busy machine that takes longer than a user's may.
        options = [
            "--port",
            "0",
            "--site-port",
            "0",
            "--function-cpu-s",
            str(cpu_limit_s),
            "--watchdog-fd",
            "0",
        ]
        super().__init__(
            [sys.executable, "-m", "convexpy.serve", "--data", str(data), *options, *arguments],
            log=data.with_name(data.name + ".log"),
            env={**(env or {}), **({} if database is None else {"CONVEXPY_DATABASE_URL": database})},
        )

    @property
    def admin_key(self) -> str:
        """The deployment's admin key."""
        key: str = json.loads((self.data / "keys.json").read_text())["adminKey"]
        return key

    def push(self, app: Path) -> Any:
        """Push the functions of a folder."""
        modules = {}
        for path in sorted(app.rglob("*.py")):
            source = path.read_bytes()
            modules[path.relative_to(app).as_posix()] = {
                "sha256": hashlib.sha256(source).hexdigest(),
                "source": base64.b64encode(source).decode(),
            }
        headers = {"Authorization": f"Convex {self.admin_key}"}
        return self.post("/api/convexpy/push", {"modules": modules}, headers)

    def call(self, kind: str, path: str, **args: Any) -> Any:
        """Call a function; return its value."""
        answer = self.post(f"/api/{kind}", {"path": path, "args": args})
        if answer["status"] != "success":
            raise SystemExit(f"{path}: {answer['errorMessage']}")
        return answer["value"]


PEER_MISSING = "without the peer, whose packages are not installed: npm ci --prefix benchmarks"


class Peer(Process):
    """A Node program of `peers/`."""

    def __init__(self, script: str, *arguments: str, log: Path) -> None:
        super().__init__(["node", str(BENCHMARKS / "peers" / script), *arguments], log=log, cwd=BENCHMARKS)


@contextlib.contextmanager
def peer_or_none(script: str, *arguments: str, log: Path) -> Generator[Peer | None]:
    """Run a peer, if Node and its packages are installed."""
    if shutil.which("node") is None or not (BENCHMARKS / "node_modules" / ".package-lock.json").exists():
        progress(PEER_MISSING)
        yield None
        return
    with Peer(script, *arguments, log=log) as peer:
        yield peer


def alone(other: Process | None) -> contextlib.AbstractContextManager[None]:
    """Stop the other server while one is measured."""
    return contextlib.nullcontext() if other is None else frozen(other.pid)

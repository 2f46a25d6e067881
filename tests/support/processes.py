"""Real server processes for tests: started on port 0, ended with the test, spoken to over HTTP and WebSocket."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support import preloaded

ROOT = Path(__file__).parents[2]


class ServerProcess:
    """One deployment server in a process of its own.

    It is forked from a process that has imported the server, which saves most of the time of its start, unless it is to have
    an `interpreter` of its own, or another path for its imports.
    """

    def __init__(
        self,
        data: Path,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        interpreter: bool = False,
        database: str = "",
    ) -> None:
        self.data = data
        self.database = database
        self._arguments = arguments
        self._interpreter = interpreter or not preloaded.AVAILABLE
        self._env = self._environment(env)
        self.log_path = data.with_name(data.name + ".log")
        self.process: subprocess.Popen[bytes] | preloaded.ForkedServer
        self.url = ""
        self.port = 0
        self.site_url = ""
        self.start()

    @staticmethod
    def command(data: Path, *arguments: str) -> list[str]:
        """Return the command line of a server."""
        return [sys.executable, "-m", "convexpy.serve", "--data", str(data), *arguments]

    @staticmethod
    def environment(additions: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a server."""
        return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'cli'}", **(additions or {})}

    def _environment(self, additions: Mapping[str, str] | None) -> dict[str, str]:
        database = {"CONVEXPY_DATABASE_URL": self.database} if self.database else {}
        return {**self.environment(additions), **database}

    def start(self, env: Mapping[str, str] | None = None) -> None:
        """Start, or start again on the same data and port; returns when the server is ready.

        `env` replaces the additions to the environment that the server was made with.
        """
        if env is not None:
            self._env = self._environment(env)
        self._errors = self.log_path.open("ab")
        arguments = ["--port", str(self.port), "--site-port", "0", *self._arguments]
        if self._interpreter or self._env["PYTHONPATH"] != self.environment()["PYTHONPATH"]:
            self.process = subprocess.Popen(
                self.command(self.data, *arguments),
                stdout=subprocess.PIPE,
                stderr=self._errors,
                stdin=subprocess.DEVNULL,
                env=self._env,
                start_new_session=True,
            )
        else:
            self.process = preloaded.start(["--data", str(self.data), *arguments], self._errors, self._env)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise AssertionError(f"the server did not start:\n{self.errors()}")
        self.ready: dict[str, Any] = json.loads(line)
        ready = self.ready
        self.url, self.site_url = ready["url"], ready["siteUrl"]
        self.port = urlsplit(self.url).port or 0

    def errors(self) -> str:
        """Return what the server has written to stderr."""
        return self.log_path.read_text()

    @property
    def admin_key(self) -> str:
        """The admin key of the deployment."""
        key: str = json.loads((self.data / "keys.json").read_text())["adminKey"]
        return key

    def kill(self) -> None:
        """End the server as kill -9 does."""
        self.process.kill()
        self._reap()

    def stop(self, timeout_s: float = 60.0) -> int:
        """Stop the server as Ctrl-C does; return its exit status."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the server did not stop:\n{self.errors()}") from None
        finally:
            self._reap()

    def _reap(self) -> None:
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._errors.close()

    def close(self) -> None:
        """End the server if it runs."""
        if self.process.poll() is None:
            with contextlib.suppress(AssertionError):
                self.stop()
        elif self.process.stdout is not None and not self.process.stdout.closed:
            self._reap()

    # HTTP

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        admin: bool = False,
        raw: bytes | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """Return status, parsed body and headers of one request."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if admin:
            sent["Authorization"] = f"Convex {self.admin_key}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=200)
        try:
            data = raw if raw is not None else None if body is None else json.dumps(body).encode()
            connection.request(method, path, body=data, headers=sent)
            response = connection.getresponse()
            content = response.read()
            kind = response.headers.get("content-type", "")
            value: Any = json.loads(content) if kind.startswith("application/json") and content else content
            return response.status, value, {name.lower(): text for name, text in response.headers.items()}
        finally:
            connection.close()

    def call(self, kind: str, path: str, **args: Any) -> Any:
        """Call a public function; return its value, or raise AssertionError with the failure text."""
        status, answer, _ = self.request("POST", f"/api/{kind}", {"path": path, "args": args})
        assert status == 200, answer
        if answer["status"] != "success":
            raise AssertionError(answer["errorMessage"])
        return answer["value"]

    def failure(self, kind: str, path: str, **args: Any) -> dict[str, Any]:
        """Call a function that is expected to fail; return the answer."""
        status, answer, _ = self.request("POST", f"/api/{kind}", {"path": path, "args": args})
        assert status == 200, answer
        assert answer["status"] == "error", answer
        result: dict[str, Any] = answer
        return result

    def push(self, modules: Mapping[str, str], **options: Any) -> tuple[int, Any]:
        """Push module texts; return status and answer."""
        encoded = {
            path: {
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
                "source": base64.b64encode(text.encode()).decode(),
            }
            for path, text in modules.items()
        }
        status, answer, _ = self.request(
            "POST", "/api/convexpy/push", {"modules": encoded, **options}, admin=True
        )
        return status, answer

    def push_ok(self, modules: Mapping[str, str], **options: Any) -> Any:
        """Push module texts that must be accepted."""
        status, answer = self.push(modules, **options)
        assert status == 200, answer
        return answer


def wait_for(fact: Callable[[], Any], *, within_s: float = 60.0, what: str = "the fact") -> Any:
    """Return the first true result of `fact`; fail at the deadline with what was seen last."""
    deadline = time.monotonic() + within_s
    while True:
        seen = fact()
        if seen:
            return seen
        assert time.monotonic() < deadline, (
            f"{what} did not come true within {within_s} s; last seen: {seen!r}"
        )
        time.sleep(0.01)

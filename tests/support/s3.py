"""A real S3 server for tests: moto's, in a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Generator
from pathlib import Path

from support.processes import wait_for

REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": REGION}


class S3Server:
    """An S3 server on a free port, with one bucket per call of `bucket`."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._errors = log.open("wb")
        # The server chooses its port and says so in its log: there is no moment in which another could take it.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=self._errors,
            stderr=self._errors,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.port: int = wait_for(self._announced, what="the S3 server's address")
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {**KEYS, "AWS_ENDPOINT_URL": self.url}

    def _announced(self) -> int:
        assert self._process.poll() is None, self._log.read_text()
        found = re.search(r"Running on http://127\.0\.0\.1:(\d+)\n", self._log.read_text())
        return int(found[1]) if found else 0

    def request(self, method: str, path: str) -> tuple[int, bytes]:
        """Return status and body of a bare request."""
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=200)
        ) as connection:
            connection.request(method, path, headers={"Host": f"127.0.0.1:{self.port}"})
            response = connection.getresponse()
            return response.status, response.read()

    def bucket(self) -> str:
        """Make a bucket; return its name."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        status, body = self.request("PUT", f"/{name}")
        assert status == 200, body
        return name

    def unfinished(self, bucket: str) -> int:
        """Return how many multipart uploads were begun and neither completed nor given up."""
        status, body = self.request("GET", f"/{bucket}?uploads")
        assert status == 200, body
        return body.count(b"<UploadId>")

    def close(self) -> None:
        """End the server."""
        self._process.kill()
        self._process.wait()
        self._errors.close()


@contextlib.contextmanager
def s3_server(folder: Path) -> Generator[S3Server, None, None]:
    """Run a server for the length of a `with` block."""
    server = S3Server(folder / "s3.log")
    try:
        yield server
    finally:
        server.close()

"""The page of a project without a build step: a folder of static files, served beside the deployment.

Two scripts are added to what is in the folder: `convexpy.js` sets `CONVEX_URL` and `CONVEX_SITE_URL`, and the browser bundle
of the npm package `convex` is where npm would install it, whether it did or not.
"""

from __future__ import annotations

import contextlib
import http
import json
import os
import socket
import sys
import threading
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from convexpy_cli.dev.browser_client import BUNDLE, BrowserClient

FIRST_PORT = 3212
"""Beside the ports of the local deployment."""
CLIENT_PATH = f"/node_modules/convex/{BUNDLE}"
_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Page:
    """Serves a folder on this machine only, until `close`."""

    def __init__(self, folder: Path, *, url: str, site_url: str) -> None:
        addresses = {"CONVEX_URL": url, "CONVEX_SITE_URL": site_url}
        script = "".join(f"globalThis.{name} = {json.dumps(value)};\n" for name, value in addresses.items())
        handler = partial(_Handler, directory=str(folder), made=script.encode(), client=BrowserClient(folder))
        self._server = _listen(handler)
        self._port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self._port}/"
        self._closing = False
        self._thread = threading.Thread(target=self._serve, daemon=True, name="page")
        self._thread.start()

    def open(self) -> None:
        """Show it in the person's browser; without a desktop there is none, and a browser for terminals would take this one."""
        if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
            webbrowser.open(self.url)

    def close(self) -> None:
        """Stop listening."""
        self._closing = True
        with contextlib.suppress(OSError):
            # Wakes the thread up: it sleeps until somebody connects, and not a moment at a time.
            socket.create_connection(("127.0.0.1", self._port), timeout=1.0).close()
        self._thread.join(timeout=1.0)

    def _serve(self) -> None:
        with self._server:
            while not self._closing:
                self._server.handle_request()


def _listen(handler: Any) -> ThreadingHTTPServer:
    for port in (FIRST_PORT, 0):
        try:
            return _Server(("127.0.0.1", port), handler)
        except OSError:
            if not port:
                raise
    raise AssertionError("a free port was asked for")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False  # a port that somebody else listens on is not ours


class _Handler(SimpleHTTPRequestHandler):
    """Static files, and the two scripts. Nothing that is hidden, no listings, nothing that a browser keeps."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any, made: bytes, client: BrowserClient, directory: str) -> None:
        self._made = made
        self._client = client
        super().__init__(*args, directory=directory)

    def send_head(self) -> Any:
        """Answer GET and HEAD (called by the base class)."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").netloc.rpartition(":")[0]
        path = unquote(urlsplit(self.path).path)
        if host not in _HOSTS:
            # A foreign name that was made to lead here: its page must not read this one.
            self.send_error(http.HTTPStatus.FORBIDDEN)
        elif path == "/convexpy.js":
            self._send_script(self._made)
        elif path == CLIENT_PATH:
            self._send_client()
        elif any(part.startswith(".") for part in path.split("/")):
            self.send_error(http.HTTPStatus.NOT_FOUND)
        else:
            return super().send_head()
        return None

    def _send_client(self) -> None:
        try:
            script = self._client.script()
        except OSError as error:
            # In the page's console, where the person looks when nothing happens.
            script = b"console.error(%s);\n" % json.dumps(str(error)).encode()
        self._send_script(script)

    def _send_script(self, script: bytes) -> None:
        self.send_response(http.HTTPStatus.OK)
        self.send_header("Content-Type", "text/javascript; charset=utf-8")
        self.send_header("Content-Length", str(len(script)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(script)

    def list_directory(self, path: Any) -> None:
        """Refuse: a folder without an index has no page."""
        self.send_error(http.HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """Let no browser keep what changes with the next save."""
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for the functions' log."""

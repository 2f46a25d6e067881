"""The endpoints where a browser signs in, beside a test issuer: they let everybody in, at once, under one name."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from support.issuer import Issuer


class LoginPage:
    """Authorization and token endpoint of an issuer. `claims` are those of the next tokens."""

    def __init__(self, issuer: Issuer, **claims: Any) -> None:
        self.claims = claims
        self.given = 0
        """How many tokens it has given out."""
        self.issuer = issuer
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.page = self
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        issuer.headers["Access-Control-Allow-Origin"] = "*"
        issuer.discovery |= {"authorization_endpoint": f"{url}/authorize", "token_endpoint": f"{url}/token"}

    @contextlib.contextmanager
    def open(self) -> Iterator[LoginPage]:
        """Answer for as long as the block lasts."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def tokens(self) -> dict[str, Any]:
        """Return the answer of the token endpoint."""
        self.given += 1
        token = self.issuer.token(**self.claims, jti=str(self.given))
        return {"id_token": token, "access_token": "unused", "token_type": "Bearer", "expires_in": 3600}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    page: LoginPage


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Send the browser back, with a code."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.send_response(302)
        self.send_header(
            "Location", f"{asked['redirect_uri']}?{urlencode({'code': 'c', 'state': asked['state']})}"
        )
        self.end_headers()

    def do_POST(self) -> None:
        """Give tokens for a code."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(self.server.page.tokens()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

"""Mail over a real SMTP server, mail in the log of development, and passwords known from breaches, by the real protocol."""

from __future__ import annotations

import email
import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from support.processes import ServerProcess
from support.sign_in_app import sign_in_app

BREACHED = "correct horse battery"
FINE = "another staple entirely"


class Mailbox:
    """Keeps what an SMTP server is given."""

    def __init__(self) -> None:
        self.received: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.received.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"


def authenticated(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=(data.login, data.password) == (b"us er", b"p@ss"))


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    options: dict[str, Any] = {
        "authenticator": authenticated,
        "auth_require_tls": False,
        "auth_required": True,
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    yield box, port
    controller.stop()


def act(server: ServerProcess, **params: Any) -> Any:
    body = {"path": "auth:signIn", "args": {"provider": "password", "params": params}}
    return server.request("POST", "/api/action", body)[1]


def app_that_sends(sender: str) -> dict[str, str]:
    app = sign_in_app(sender=sender)
    return {**app, "auth.py": app["auth.py"].replace("import Auth,", "import smtp, Auth,")}


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_mail_goes_over_smtp(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    server = ServerProcess(tmp_path / "data")
    try:
        url = f"smtp+plain://us%20er:p%40ss@127.0.0.1:{port}"
        sender = f'smtp("{url}", sender="Nötes <notes@example.com>")'
        server.push_ok(app_that_sends(sender))
        assert act(server, flow="signUp", email="ada@example.com", password=FINE)["value"] == {
            "started": True
        }
        sent_by, to, content = box.received[0]
        message = email.message_from_bytes(content)
        assert (sent_by, to) == ("notes@example.com", ["ada@example.com"])
        assert message["Auto-Submitted"] == "auto-generated"
        found = re.search(r"\b\d{8}\b", message.get_payload())
        assert found
        answer = act(server, flow="email-verification", email="ada@example.com", code=found[0])
        assert answer["value"]["tokens"]
        bad = url.replace("p%40ss", "wrong")
        server.push_ok(app_that_sends(sender.replace(url, bad)))
        refused = act(server, flow="reset", email="ada@example.com")
        assert "did not take a mail" in refused["errorMessage"]
        assert len(box.received) == 1
    finally:
        server.close()


def test_without_a_sender_mail_is_in_the_log_of_development(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    try:
        server.push_ok(app_that_sends("None"))
        answer = act(server, flow="signUp", email="ada@example.com", password=FINE)
        line = next(line for line in answer["logLines"] if "mail to ada@example.com" in line)
        code = re.search(r"\d{8}", line)
        assert code
        answer = act(server, flow="email-verification", email="ada@example.com", code=code[0])
        assert answer["value"]["tokens"]
    finally:
        server.close()


@pytest.fixture
def range_server() -> Iterator[tuple[str, list[str]]]:
    """A service with the range API: it knows one password, and pads its answers."""
    asked: list[str] = []
    sha1 = hashlib.sha1(BREACHED.encode(), usedforsecurity=False).hexdigest().upper()
    padded = hashlib.sha1(FINE.encode(), usedforsecurity=False).hexdigest().upper()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            assert self.headers["Add-Padding"] == "true"
            lines = {sha1[:5]: f"{'0' * 35}:3\r\n{sha1[5:]}:52\r\n", padded[:5]: f"{padded[5:]}:0\r\n"}
            content = lines.get(self.path.rpartition("/")[2], "").encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_breached_passwords_are_refused_and_no_answer_refuses_nobody(
    tmp_path: Path, range_server: tuple[str, list[str]]
) -> None:
    address, asked = range_server
    server = ServerProcess(tmp_path / "data")
    try:
        server.push_ok(sign_in_app(breached=address))
        refused = act(server, flow="signUp", email="ada@example.com", password=BREACHED)
        assert refused["errorData"]["reason"] == "breached"
        assert act(server, flow="signUp", email="ada@example.com", password=FINE)["value"] == {
            "started": True
        }
        assert all(re.fullmatch(r"/range/[0-9A-F]{5}", path) for path in asked)
        assert len(asked) == 2
        server.push_ok(sign_in_app(breached="http://127.0.0.1:9"))
        assert act(server, flow="signUp", email="eve@example.com", password=BREACHED)["value"] == {
            "started": True
        }
    finally:
        server.close()

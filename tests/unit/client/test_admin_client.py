"""The client against a small HTTP server that answers what the test wants."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from convexpy.client import AdminClient, DeploymentError, FunctionFailed, PushFile, Unreachable

Answer = tuple[int, Any]


class Deployment:
    """A server whose answers the test sets; remembers what was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[Any] = set()
        self.answer: Callable[[str, Any], Answer] = lambda path, body: (200, {})
        self.close_after_answer = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                outer.requests.append((self.command, self.path, body))
                outer.headers.append(dict(self.headers))
                outer.connections.add(self.client_address)
                status, document = outer.answer(self.path, body)
                payload = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)
                # Closing without saying so is what a server that stops does.
                self.close_connection = outer.close_after_answer

            do_GET = do_POST = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that went away is what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    deployment = Deployment()
    yield deployment
    deployment.stop()


@pytest.fixture
def client(deployment: Deployment) -> Iterator[AdminClient]:
    client = AdminClient(deployment.url + "/", "name|0123456789abcdef")
    yield client
    client.close()


def file(text: str) -> PushFile:
    return PushFile(hashlib.sha256(text.encode()).hexdigest(), text.encode())


def test_a_call_gives_value_and_log_lines(deployment: Deployment, client: AdminClient) -> None:
    deployment.answer = lambda *_: (200, {"status": "success", "value": [1], "logLines": ["[LOG] hi"]})
    result = client.call("messages:list", {"limit": 1}, identity={"subject": "u"})
    assert (result.value, result.log_lines) == ([1], ["[LOG] hi"])
    _, path, body = deployment.requests[0]
    assert path == "/api/function"
    assert body == {"path": "messages:list", "args": {"limit": 1}, "format": "convex_encoded_json"}
    key, _, acting = deployment.headers[0]["Authorization"].removeprefix("Convex ").rpartition(":")
    assert key == "name|0123456789abcdef"
    assert json.loads(base64.b64decode(acting)) == {"subject": "u"}


def test_a_function_that_raises_is_an_error_with_its_data(
    deployment: Deployment, client: AdminClient
) -> None:
    deployment.answer = lambda *_: (
        200,
        {"status": "error", "errorMessage": "no", "errorData": {"n": 1}, "logLines": ["x"]},
    )
    with pytest.raises(FunctionFailed) as caught:
        client.call("a:b", {})
    assert (caught.value.message, caught.value.data, caught.value.log_lines) == ("no", {"n": 1}, ["x"])


def test_requests_share_one_connection_but_calls_never_reuse_it(
    deployment: Deployment, client: AdminClient
) -> None:
    deployment.answer = lambda *_: (200, {"environmentVariables": {}, "status": "success"})
    for _ in range(3):
        client.environment()
    assert len(deployment.connections) == 1
    client.call("a:b", {})
    assert len(deployment.connections) == 2


def test_a_connection_that_was_closed_meanwhile_is_opened_again(
    deployment: Deployment, client: AdminClient
) -> None:
    deployment.answer = lambda *_: (200, {"environmentVariables": {"A": "1"}})
    deployment.close_after_answer = True
    assert client.environment() == {"A": "1"}
    assert client.environment() == {"A": "1"}


def test_only_contents_that_may_be_unknown_are_sent(deployment: Deployment, client: AdminClient) -> None:
    pushed = {"version": 1, "unchanged": False, "changes": {}, "counts": {"functions": 1}, "ms": 2.5}
    deployment.answer = lambda path, body: (200, {"missing": ["b.py"]} if path.endswith("plan") else pushed)
    files = {"a.py": file("a"), "b.py": file("b")}
    result = client.push(files, {"functionCase": "snake"})
    assert (result.version, result.counts, result.ms) == (1, {"functions": 1}, 2.5)
    client.push({**files, "a.py": file("a2")}, {})
    assert [path for _, path, _ in deployment.requests] == [
        "/api/convexpy/push/plan",
        *["/api/convexpy/push"] * 2,
    ]
    first, second = (body["modules"] for _, path, body in deployment.requests if not path.endswith("plan"))
    assert {path for path, module in first.items() if "source" in module} == {"b.py"}
    assert {
        path: base64.b64decode(module["source"]) for path, module in second.items() if "source" in module
    } == {"a.py": b"a2"}


def test_a_server_that_has_forgotten_gets_everything_again(
    deployment: Deployment, client: AdminClient
) -> None:
    answers: list[Answer] = [
        (200, {"missing": []}),
        (409, {"code": "MissingModules", "message": "gone"}),
        (200, {"version": 2, "unchanged": False}),
    ]
    deployment.answer = lambda *_: answers.pop(0)
    assert client.push({"a.py": file("a")}, {}).version == 2
    assert "source" in deployment.requests[-1][2]["modules"]["a.py"]


def test_a_refusal_keeps_what_the_server_says(deployment: Deployment, client: AdminClient) -> None:
    place = {"file": "convex/a.py", "line": 3, "column": 1}
    refusal = {
        "code": "ModuleLoadFailed",
        "message": "bad",
        "location": place,
        "hint": "fix",
        "retryOn": "files",
    }
    deployment.answer = lambda path, _: (200, {"missing": []}) if path.endswith("plan") else (400, refusal)
    with pytest.raises(DeploymentError) as caught:
        client.push({"a.py": file("a")}, {})
    assert (caught.value.retry_on, caught.value.status) == ("files", 400)
    assert caught.value.to_json() == {
        "code": "ModuleLoadFailed",
        "message": "bad",
        "location": place,
        "hint": "fix",
        "data": None,
    }


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_has_one_code(deployment: Deployment, client: AdminClient, status: int) -> None:
    deployment.answer = lambda *_: (status, {"code": "BadDeployKey", "message": "no"})
    with pytest.raises(DeploymentError) as caught:
        client.check_key()
    assert (caught.value.code, caught.value.retry_on) == ("KeyRejected", "never")


def test_something_else_that_answers_is_told_apart(deployment: Deployment, client: AdminClient) -> None:
    deployment.answer = lambda *_: (404, b"<html>nginx")
    with pytest.raises(Unreachable) as caught:
        client.check_key()
    assert caught.value.code == "NotACompatibleServer"
    assert caught.value.data["firstLine"] == "<html>nginx"


def test_nobody_there_is_unreachable_and_says_where_the_url_is_from() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable) as caught:
        AdminClient(f"http://127.0.0.1:{port}", source="CONVEX_URL in .env.local").version()
    assert "CONVEX_URL in .env.local" in caught.value.message
    assert caught.value.retry_on == "backoff"


def test_a_waiting_request_can_be_ended_from_another_thread(
    deployment: Deployment, client: AdminClient
) -> None:
    asked, ended = threading.Event(), threading.Event()

    def wait(*_: Any) -> Answer:
        asked.set()
        ended.wait(10)
        return 200, {"entries": [], "newCursor": 0}

    deployment.answer = wait
    failures: list[Exception] = []

    def follow() -> None:
        try:
            client.logs(0.0)
        except (DeploymentError, OSError) as error:
            failures.append(error)

    thread = threading.Thread(target=follow)
    thread.start()
    assert asked.wait(10)
    client.abort()
    thread.join(10)
    ended.set()
    assert len(failures) == 1

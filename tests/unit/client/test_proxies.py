"""Requests through a proxy: credentials, and a proxy that does not work is named."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from convexpy.client import AdminClient, Unreachable
from convexpy.client._proxies import proxy_for

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextlib.contextmanager
def proxy(*answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers each request on one connection in turn; gives its port and what it was sent."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    received = b""
                    while b"\r\n\r\n" not in received:
                        part = connection.recv(65_536)
                        if not part:
                            return
                        received += part
                    asked.append(received)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], asked
        thread.join()


def test_credentials_are_sent_to_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n0.1.0") as (port, asked):
        monkeypatch.setenv("HTTP_PROXY", f"http://ada:p%40ss%3Aword@127.0.0.1:{port}")
        client = AdminClient("http://deployment.test:3210")
        assert client.version() == "0.1.0"
        client.close()
    (request,) = asked
    assert request.startswith(b"GET http://deployment.test:3210/version ")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"ada:p@ss:word") in request


def test_tls_goes_through_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (port, asked):
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:p%40ss%3Aword@127.0.0.1:{port}")
        with pytest.raises(Unreachable, match=f"the proxy 127.0.0.1:{port} .*407"):
            AdminClient("https://deployment.test:3210").version()
    (connect,) = asked
    assert connect.startswith(b"CONNECT deployment.test:3210 ")
    assert base64.b64encode(b"ada:p@ss:word") in connect


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_dead_proxy_is_named(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv(variable, f"http://ada:secret@127.0.0.1:{port}")
    with pytest.raises(
        Unreachable, match=f"the proxy 127.0.0.1:{port} \\(from {variable}\\): connection refused"
    ) as caught:
        AdminClient("http://deployment.test").version()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:1", "http://", "http://host:port"])
def test_what_is_no_http_proxy_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(Unreachable, match="HTTPS_PROXY does not name an HTTP proxy"):
        proxy_for("https://deployment.test")
    assert proxy_for("https://127.0.0.1:3210") is None
    assert proxy_for("http://deployment.test") is None

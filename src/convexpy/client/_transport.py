"""JSON over one HTTP connection that is kept open, with the standard library alone.

A request on a connection that the server has closed meanwhile is sent again on a new one, if that is safe.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Generator, Iterable
from typing import Any
from urllib.parse import urlsplit

from convexpy._version import __version__
from convexpy.client._errors import DeploymentError, Unreachable
from convexpy.client._proxies import Proxy, ProxyFailed, proxy_for

CONNECT_TIMEOUT_S = 10.0


def read_json(text: str | bytes) -> Any:
    """Return parsed JSON of a server, which writes the whole numbers of functions with a point."""
    return json.loads(text, parse_float=_number)


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= 2**53 else number


class Transport:
    """One connection to the deployment at `url`. Not for several threads at once.

    `source` says where the URL came from, for messages.
    """

    def __init__(self, url: str, admin_key: str | None = None, *, source: str = "") -> None:
        parts = urlsplit(url)
        self.url = url.rstrip("/")
        self._source = source
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (443 if self._secure else 80)
        self._prefix = parts.path.rstrip("/")
        self._key = admin_key
        self._connection: http.client.HTTPConnection | None = None

    @property
    def proxy(self) -> Proxy | None:
        """The proxy that requests go through, or None."""
        return proxy_for(self._secure, self._host)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def abort(self) -> None:
        """Make a request that waits in another thread fail at once."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        timeout_s: float = 60.0,
        acting_as: str | None = None,
        repeatable: bool = True,
    ) -> Any:
        """Send a request and return the JSON of the answer (text, if it is none).

        `acting_as` is appended to the admin key. With `repeatable=False` the request is never sent twice.

        Raises:
            Unreachable: no answer, or not that of a deployment.
            DeploymentError: the deployment refused.
        """
        payload = (
            None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        )
        headers = {"Convex-Client": f"convexpy-{__version__}", "Content-Type": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Convex {self._key}{':' + acting_as if acting_as else ''}"
        if not repeatable:
            self.close()
        reused = self._connection is not None
        try:
            status, answer, answered = self._exchange(method, path, payload, headers, timeout_s)
        except (http.client.HTTPException, ConnectionError) as error:
            self.close()
            if not reused:
                raise self._unreachable(error) from error
            return self.request(
                method, path, body, timeout_s=timeout_s, acting_as=acting_as, repeatable=repeatable
            )
        except OSError as error:
            self.close()
            raise self._unreachable(error) from error
        return self._read(path, status, answer, answered)

    @contextlib.contextmanager
    def streaming(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Iterable[bytes] | None,
        *,
        timeout_s: float,
    ) -> Generator[http.client.HTTPResponse, None, None]:
        """Send a body as it comes, on a connection of its own; give the response, to be read as it comes.

        Raises:
            Unreachable: no answer, or not that of a deployment.
            DeploymentError: the deployment refused.
        """
        try:
            connection = self._connect()
        except OSError as error:
            raise self._unreachable(error) from error
        self._connection = None
        with contextlib.closing(connection):
            connection.sock.settimeout(timeout_s)
            # A refusal comes before the end of the body, which then can't be sent any more.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, self._prefix + path, body, headers)
            response = connection.getresponse()
            if response.status >= 400:
                self._read(path, response.status, response.read(), response.headers)
            yield response

    def _exchange(
        self, method: str, path: str, payload: bytes | None, headers: dict[str, str], timeout_s: float
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        connection = self._connection or self._connect()
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        connection.request(method, self._prefix + path, payload, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.will_close:
            self.close()
        return response.status, answer, response.headers

    def _connect(self) -> http.client.HTTPConnection:
        proxy = self.proxy
        host, port = (self._host, self._port) if proxy is None else (proxy.host, proxy.port)
        if self._secure:
            secure = http.client.HTTPSConnection(
                host, port, timeout=CONNECT_TIMEOUT_S, context=ssl.create_default_context()
            )
            connection: http.client.HTTPConnection = secure
        else:
            connection = http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT_S)
        if proxy is not None:
            connection.set_tunnel(self._host, self._port, proxy.headers)
        try:
            connection.connect()
        except OSError as error:
            if proxy is not None and not isinstance(error, ssl.SSLError):
                raise ProxyFailed(f"the proxy {proxy}: {_cause(error)}") from error
            raise
        # Small requests must not wait for the acknowledgement of the one before.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        return connection

    def _read(self, path: str, status: int, answer: bytes, headers: http.client.HTTPMessage) -> Any:
        try:
            document = read_json(answer) if answer else None
        except ValueError:
            document = answer.decode("utf-8", errors="replace")
        if status < 400:
            return document
        if not isinstance(document, dict) or "code" not in document:
            first = answer.decode("utf-8", errors="replace").strip().splitlines()
            server = headers.get("Server", "unknown")
            raise Unreachable(
                f"{self.url} answered {path} with {status}: not a deployment that this command can use",
                code="NotACompatibleServer",
                status=status,
                hint="check the URL, and proxies in between",
                data={"server": server, "firstLine": first[0][:200] if first else ""},
            )
        raise self._refused(status, document)

    def _refused(self, status: int, document: dict[str, Any]) -> DeploymentError:
        code, hint = str(document["code"]), document.get("hint")
        if status in (401, 403):
            hint = hint or "check where the key comes from: convexpy deployment show"
            code = "KeyKindForbidden" if code == "OperationNotPermitted" else "KeyRejected"
        return DeploymentError(
            str(document.get("message", "")),
            code=code,
            status=status,
            hint=hint,
            data=document.get("data"),
            place=document.get("location"),
            retry_on=str(document.get("retryOn", "backoff" if status >= 500 else "never")),
            request_id=document.get("requestId"),
        )

    def _unreachable(self, error: Exception) -> Unreachable:
        source = f" (from {self._source})" if self._source else ""
        return Unreachable(f"{self.url}{source} does not answer: {_cause(error)}", retry_on="backoff")


def _cause(error: Exception) -> str:
    if isinstance(error, ProxyFailed):
        return str(error)
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is the server running?"
    if isinstance(error, socket.gaierror):
        return "the name is not known"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'verify_message', None) or error.reason or error}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}" if str(error) else "the connection was closed"

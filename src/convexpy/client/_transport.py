"""JSON over one HTTP connection that is kept open.

A request on a connection that the server has closed meanwhile is sent again on a new one, if that is safe.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

from convexpy._version import __version__
from convexpy.client._errors import DeploymentError, Unreachable
from convexpy.client._proxies import Proxy, proxy_for

if TYPE_CHECKING:
    import httpx

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
        self.url: str = url.rstrip("/")
        self._source = source
        self._key = admin_key
        self._http: httpx.Client | None = None
        self._used = False
        self._aborted = False
        self._socket: socket.socket | None = None

    @property
    def proxy(self) -> Proxy | None:
        """The proxy that requests go through, or None."""
        return proxy_for(self.url)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._http is not None:
            self._http.close()
        self._http, self._socket, self._used = None, None, False

    def abort(self) -> None:
        """Make a request that waits in another thread fail at once; it is not sent again."""
        self._aborted = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

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
        import httpx

        payload = (
            None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        )
        headers = {"Content-Type": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Convex {self._key}{':' + acting_as if acting_as else ''}"
        if not repeatable:
            self.close()
        self._aborted = False
        reused = self._used
        try:
            client = self._client()
            request = client.build_request(
                method, self.url + path, content=payload, headers=headers,
                timeout=_timeout(timeout_s), extensions={"trace": self._trace},
            )  # fmt: skip
            response = client.send(request)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
            self.close()
            if not reused or self._aborted:
                raise self._unreachable(error) from error
            return self.request(
                method, path, body, timeout_s=timeout_s, acting_as=acting_as, repeatable=repeatable
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self.close()
            raise self._unreachable(error) from error
        self._used = True
        return self._read(path, response)

    @contextlib.contextmanager
    def streaming(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes | Iterable[bytes] | None,
        *,
        timeout_s: float,
    ) -> Generator[httpx.Response, None, None]:
        """Send a body as it comes, on a connection of its own; give the response, to be read as it comes.

        Raises:
            Unreachable: no answer, or not that of a deployment; or the transfer broke off.
            DeploymentError: the deployment refused.
        """
        import httpx

        began = False
        try:
            with (
                self._open() as client,
                client.stream(
                    method, self.url + path, content=body, timeout=_timeout(timeout_s),
                    headers={**headers, "Accept-Encoding": "identity"},
                ) as response,
            ):  # fmt: skip
                began = True
                if response.status_code >= 400:
                    response.read()
                    self._read(path, response)
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        except httpx.HTTPError as error:
            what = "the transfer broke off" if began or body is not None else f"{self.url} does not answer"
            raise Unreachable(f"{what}: {self._cause(error)}", retry_on="backoff") from error

    def _client(self) -> httpx.Client:
        if self._http is None:
            self._http = self._open()
        return self._http

    def _open(self) -> httpx.Client:
        import httpx

        proxy = self.proxy
        secure = self.url.startswith("https:")
        return httpx.Client(
            # Making a context that trusts the system's certificates takes longer than a local request.
            verify=ssl.create_default_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            proxy=None if proxy is None else proxy.url,
            trust_env=False,
            headers={"User-Agent": f"convexpy/{__version__}", "Convex-Client": f"convexpy-{__version__}"},
        )

    def _trace(self, event: str, details: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "proxy.connect_tcp.complete"):
            self._socket = details["return_value"].get_extra_info("socket")

    def _read(self, path: str, response: httpx.Response) -> Any:
        answer, status = response.content, response.status_code
        try:
            document = read_json(answer) if answer else None
        except ValueError:
            document = answer.decode("utf-8", errors="replace")
        if status < 400:
            return document
        if not isinstance(document, dict) or "code" not in document:
            first = answer.decode("utf-8", errors="replace").strip().splitlines()
            raise Unreachable(
                f"{self.url} answered {path} with {status}: not a deployment that this command can use",
                code="NotACompatibleServer",
                status=status,
                hint="check the URL, and proxies in between",
                data={
                    "server": response.headers.get("Server", "unknown"),
                    "firstLine": first[0][:200] if first else "",
                },
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

    def _unreachable(self, error: BaseException) -> Unreachable:
        source = f" (from {self._source})" if self._source else ""
        return Unreachable(f"{self.url}{source} does not answer: {self._cause(error)}", retry_on="backoff")

    def _cause(self, error: BaseException) -> str:
        import httpx

        # Once connected, a request that fails has nothing to do with the proxy.
        connecting = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        proxy = self.proxy if connecting else None
        # The error of the system is what httpx and httpcore raised theirs for.
        while (inner := error.__cause__ or error.__context__) is not None:
            error = inner
        if proxy is not None and not isinstance(error, ssl.SSLError):
            return f"the proxy {proxy}: {_words(error)}"
        return _words(error)


def _timeout(seconds: float) -> httpx.Timeout:
    import httpx

    return httpx.Timeout(seconds, connect=CONNECT_TIMEOUT_S)


def _words(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is the server running?"
    if isinstance(error, socket.gaierror):
        return "the name is not known"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'verify_message', None) or error.reason or error}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}" if str(error) else "the connection was closed"

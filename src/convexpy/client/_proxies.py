"""The proxy that the environment asks for: `HTTPS_PROXY` or `HTTP_PROXY`, else `ALL_PROXY`; `NO_PROXY` has exceptions."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from convexpy.client._errors import Unreachable

_LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")


class ProxyFailed(OSError):
    """The proxy did not connect to the deployment."""


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy. `variable` is where it was named; `credentials` are `user:password`, or empty."""

    host: str
    port: int
    variable: str
    credentials: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request for a tunnel."""
        if not self.credentials:
            return {}
        encoded = base64.b64encode(self.credentials.encode()).decode()
        return {"Proxy-Authorization": f"Basic {encoded}"}

    def __str__(self) -> str:
        return f"{self.host}:{self.port} (from {self.variable})"


def proxy_for(secure: bool, host: str) -> Proxy | None:
    """Return the proxy for requests to a host; loopback never goes through one.

    Raises:
        Unreachable: the variable does not name an HTTP proxy.
    """
    scheme = "HTTPS" if secure else "HTTP"
    names = [name for kind in (scheme, "ALL") for name in (f"{kind}_PROXY", f"{kind.lower()}_proxy")]
    name = next((name for name in names if os.environ.get(name)), None)
    if name is None or host in _LOOPBACK:
        return None
    from urllib.request import proxy_bypass

    if proxy_bypass(host):
        return None
    value = os.environ[name]
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = parts.port or 80
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname:
        raise Unreachable(
            f"{name} does not name an HTTP proxy", code="ProxyInvalid", hint=f"{name}=http://HOST:PORT"
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Proxy(parts.hostname, port, name, f"{user}:{password}" if user or password else "")

"""The proxy that the environment asks for: `HTTPS_PROXY` or `HTTP_PROXY`, else `ALL_PROXY`; `NO_PROXY` has exceptions.

httpx reads these variables itself, but sends requests to loopback through the proxy too, and its errors do not name the
variable.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from convexpy.client._errors import Unreachable

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy; `variable` is where it was named."""

    url: str
    variable: str

    def __str__(self) -> str:
        return f"{urlsplit(self.url).netloc.rpartition('@')[2]} (from {self.variable})"


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy for requests to a URL; loopback never goes through one.

    Raises:
        Unreachable: the variable does not name a proxy.
    """
    parts = urlsplit(url)
    names = [name for kind in (parts.scheme, "all") for name in (f"{kind}_PROXY".upper(), f"{kind}_proxy")]
    name = next((name for name in names if os.environ.get(name)), None)
    if name is None or parts.hostname in _LOOPBACK:
        return None
    from urllib.request import proxy_bypass

    if proxy_bypass(parts.hostname or ""):
        return None
    value = os.environ[name]
    proxy = Proxy(value if "://" in value else f"http://{value}", name)
    try:
        proxied = urlsplit(proxy.url)
        usable = proxied.scheme in ("http", "https") and bool(proxied.hostname) and proxied.port != 0
    except ValueError:
        usable = False
    if not usable:
        hint = f"{name}=http://HOST:PORT"
        raise Unreachable(f"{name} does not name an HTTP proxy", code="ProxyInvalid", hint=hint)
    return proxy

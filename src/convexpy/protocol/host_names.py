"""Names of hosts and web origins: read from headers and flags, and compared.

A header is what a stranger sent: what does not read as exactly one host or one origin is none.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from convexpy.limits import HOST_NAME_LENGTH_MAX

_HOST = r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)"
_HOST_HEADER = re.compile(rf"{_HOST}(?::([0-9]{{1,5}}))?", re.IGNORECASE)
_ORIGIN = re.compile(rf"([a-z][a-z0-9+.-]*)://{_HOST}(?::([0-9]{{1,5}}))?/?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """A web origin; `port` is None where the scheme has no default and none is given."""

    scheme: str
    host: str
    port: int | None


def read_host(text: str) -> str | None:
    """Return the host of a `Host` header in lower case, without port, brackets and final dot; None if it is malformed."""
    found = _HOST_HEADER.fullmatch(text) if len(text) <= HOST_NAME_LENGTH_MAX else None
    return None if found is None else _plain(found[1])


def read_origin(text: str) -> Origin | None:
    """Return the origin of an `Origin` header or a URL without a path; None for `null` and what is malformed."""
    found = _ORIGIN.fullmatch(text) if len(text) <= HOST_NAME_LENGTH_MAX else None
    if found is None:
        return None
    scheme = found[1].lower()
    port = int(found[3]) if found[3] else _DEFAULT_PORTS.get(scheme)
    return Origin(scheme, _plain(found[2]), port)


def _plain(host: str) -> str:
    return host.strip("[]").removesuffix(".").lower()


def is_address(host: str) -> bool:
    """Say whether a host is an IP address."""
    return _address(host) is not None


def is_loopback(host: str) -> bool:
    """Say whether a host can be nothing but this machine: `localhost` and below, 127.0.0.0/8, `::1`."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address is not None and address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None

"""Where the browser may be sent after sign-in: to the app's own pages, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from convexpy.auth._texts import refuse
from convexpy.protocol.host_names import is_loopback


def allowed_redirect(params: Mapping[str, Any], site_url: str, redirects: Sequence[str]) -> str:
    """Return where `params["redirectTo"]` leads: a path of the app's pages, or an address there or at a further origin.

    Under `convexpy dev` pages of the same machine are allowed as well: their port is not known before.

    Raises:
        ConvexError: `RedirectNotAllowed`, or `NotConfigured`.
    """
    if not site_url:
        refuse("NotConfigured", "Set the variable SITE_URL to the address of the app's pages.")
    wanted = params.get("redirectTo", "/")
    if not isinstance(wanted, str) or not wanted.isprintable() or "\\" in wanted or " " in wanted:
        refuse("RedirectNotAllowed")
    if wanted.startswith("/") and not wanted.startswith("//"):
        return f"{site_url}{wanted}"
    parts = urlsplit(wanted)
    is_local = (
        bool(os.environ.get("CONVEXPY_DEVELOPMENT")) and parts.scheme == "http" and "@" not in parts.netloc
    )
    if is_local and is_loopback(parts.hostname or ""):
        return wanted
    if _origin(wanted) not in {_origin(address) for address in (site_url, *redirects)}:
        refuse("RedirectNotAllowed")
    return wanted


def with_parameters(address: str, added: Mapping[str, str]) -> str:
    """Return an address with further parameters in its query."""
    parts = urlsplit(address)
    query = "&".join(part for part in (parts.query, urlencode(added)) if part)
    return urlunsplit(parts._replace(query=query))


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"

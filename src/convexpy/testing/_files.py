"""Requests of a test to the API origin: uploads to `generate_upload_url()`, downloads from `get_url()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convexpy.deployment import build_apps
from convexpy.testing._local import CLOUD_URL, LocalDeployment

if TYPE_CHECKING:
    import httpx


def is_api_url(path: str) -> bool:
    """Say whether this is a URL of the API origin, as functions hand them out, and not a path of an HTTP action."""
    return path.startswith(f"{CLOUD_URL}/")


def fetch_api(
    local: LocalDeployment,
    url: str,
    *,
    method: str,
    headers: dict[str, str],
    content: bytes,
    params: dict[str, str],
) -> httpx.Response:
    """Send a request through the routes that a server has."""
    import httpx

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=build_apps(local.deployment).api)  # type: ignore[arg-type]  # a bare callable
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request(method, url, headers=headers, content=content, params=params or None)

    return local.wait(send())

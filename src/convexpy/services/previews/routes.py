"""The admin API of previews."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from convexpy.protocol.admin_api import ClaimedPreview, PreviewInfo
from convexpy.services._admin_routes import AdminRoutes, route
from convexpy.services.previews.previews import Previews, unsupported


class _Claim(msgspec.Struct, rename="camel"):
    name: str
    actor: str = ""
    expires_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    recreate: bool = False


class _Which(msgspec.Struct):
    name: str


@dataclass(kw_only=True, eq=False)
class PreviewRoutes(AdminRoutes):
    """The routes of previews; None where the server hosts none."""

    previews: Previews | None

    @property
    def _hosted(self) -> Previews:
        if self.previews is None:
            raise unsupported()
        return self.previews

    @route("GET", "/api/convexpy/previews", "previews")
    async def list(self, request: object) -> dict[str, list[PreviewInfo]]:
        """List the previews."""
        return {"previews": self._hosted.listed()}

    @route("POST", "/api/convexpy/previews/claim", "previews", _Claim)
    async def claim(self, body: _Claim) -> ClaimedPreview:
        """Make a preview, or take the one there is: the one answer that holds its key."""
        return await self._hosted.claim(
            body.name, actor=body.actor, expires_s=body.expires_s, recreate=body.recreate
        )

    @route("POST", "/api/convexpy/previews/remove", "previews", _Which)
    async def remove(self, body: _Which) -> PreviewInfo:
        """Remove a preview with its data."""
        return await self._hosted.remove(body.name)

"""The previews beside a deployment: made when they are deployed to, kept over restarts, removed by age.

Each has a folder beside the data folder, with what is known of it in `preview.json` and its own data folder, and a server
process of its own: nothing that a preview does reaches the data of the deployment.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from convexpy.errors import RequestError
from convexpy.protocol.admin_api import ClaimedPreview, PreviewInfo
from convexpy.runtime import Clock, write_private

PREVIEW_FILE = "preview.json"
DATA_FOLDER = "data"
PASSABLE_FOLDER = 0o711
"""Executors of another user have to get to what is theirs in the data folder below, which is private itself."""
LOOKED_AT_EVERY_S = 60.0
EXPIRES_DEFAULT_S = 7 * 86_400.0
EXPIRES_MAX_S = 365 * 86_400.0
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
logger: logging.Logger = logging.getLogger("convexpy.previews")


class PreviewRecord(msgspec.Struct, rename="camel", kw_only=True):
    """What is kept of a preview; times are milliseconds since the epoch."""

    name: str
    port: int
    created_at: float
    deployed_at: float
    expires_at: float
    actor: str = ""


class PreviewServers(Protocol):
    """Runs the server processes of previews."""

    def urls(self, name: str, port: int) -> tuple[str, str]:
        """Return the public URLs of the API and of HTTP actions."""
        ...

    def free_port(self, taken: set[int]) -> int | None:
        """Return a port for a new preview, None if there is none left."""
        ...

    async def start(self, name: str, port: int, data: Path) -> None:
        """Have a server run until it is stopped; returns when it is ready.

        Raises:
            RequestError: it does not start, and why.
        """
        ...

    async def stop(self, name: str) -> None:
        """Stop a server."""
        ...

    def state(self, name: str) -> str:
        """Return `running`, `starting` or `failed: ` and why."""
        ...

    def new_key(self, data: Path, holder: str, expires_at: float) -> str:
        """Return a new admin key of a preview whose server is ready."""
        ...


def unsupported() -> RequestError:
    """Return the error of a server that hosts no previews."""
    return RequestError(
        "this server hosts no previews",
        status=501,
        code="PreviewsUnsupported",
        hint="convexpy serve --previews 3300-3349",
    )


class Previews:
    """Knows the previews, and makes and removes them, one at a time."""

    def __init__(self, folder: Path, servers: PreviewServers, clock: Clock) -> None:
        self._folder = folder
        self._servers = servers
        self._now_ms: Callable[[], float] = lambda: clock.now_ns() / 1e6
        self._lock = asyncio.Lock()
        self._records: dict[str, PreviewRecord] = {}

    async def run(self) -> None:
        """Start what there was, and remove what has expired, until this is cancelled: then stop all servers."""
        try:
            self._records = {record.name: record for record in self._read()}
            await asyncio.gather(*(self._start(record) for record in self._records.values()))
            while True:
                await self._remove_expired()
                await asyncio.sleep(LOOKED_AT_EVERY_S)
        finally:
            await asyncio.gather(*(self._servers.stop(name) for name in self._records))

    async def _remove_expired(self) -> None:
        async with self._lock:  # a claim that extends one comes before or after
            now_ms = self._now_ms()
            for name in [name for name, record in self._records.items() if record.expires_at <= now_ms]:
                logger.info("preview %s has expired", name)
                try:
                    await self._remove(name)
                except OSError as error:
                    logger.warning("preview %s cannot be removed: %s", name, error)

    def _read(self) -> list[PreviewRecord]:
        found: list[PreviewRecord] = []
        for file in sorted(self._folder.glob(f"*/{PREVIEW_FILE}")):
            try:
                found.append(msgspec.json.decode(file.read_bytes(), type=PreviewRecord))
            except (OSError, msgspec.MsgspecError) as error:
                logger.warning("%s cannot be read, its preview is not started: %s", file, error)
        return found

    async def _start(self, record: PreviewRecord) -> None:
        try:
            await self._servers.start(record.name, record.port, self._data(record.name))
        except RequestError as error:
            logger.warning("preview %s: %s", record.name, error)

    def _data(self, name: str) -> Path:
        return self._folder / name / DATA_FOLDER

    async def claim(
        self, name: str, *, actor: str = "", expires_s: float | None = None, recreate: bool = False
    ) -> ClaimedPreview:
        """Return a preview with a new admin key for it; it is made if there is none, or again with `recreate`.

        It expires `expires_s` after the last claim, and the key with it.

        Raises:
            RequestError: it is no name, there is no free port, or the server does not start.
        """
        if not _NAME.fullmatch(name):
            raise RequestError(
                f"{name!r} cannot be the name of a preview",
                code="BadPreviewName",
                hint="1 to 40 lower-case letters, digits and -, no - at the ends",
            )
        expires_s = EXPIRES_DEFAULT_S if expires_s is None else min(expires_s, EXPIRES_MAX_S)
        async with self._lock:
            if recreate and name in self._records:
                await self._remove(name)
            record = self._records.get(name)
            created = record is None
            now_ms = self._now_ms()
            record = record or self._new(name, now_ms)
            record.deployed_at, record.expires_at = now_ms, now_ms + expires_s * 1000
            record.actor = actor[:200]
            self._keep(record)
            try:
                await self._servers.start(name, record.port, self._data(name))
            except BaseException:
                if created:
                    await self._remove(name)
                raise
            key = self._servers.new_key(self._data(name), actor or "deploy", record.expires_at)
        url, site_url = self._servers.urls(name, record.port)
        return ClaimedPreview(
            name=name,
            url=url,
            site_url=site_url,
            admin_key=key,
            created=created,
            expires_at=record.expires_at,
        )

    def _new(self, name: str, now_ms: float) -> PreviewRecord:
        port = self._servers.free_port({record.port for record in self._records.values()})
        if port is None:
            raise RequestError(
                f"there are {len(self._records)} previews, and no port is left for another one",
                status=409,
                code="TooManyPreviews",
                hint="convexpy deployment previews; convexpy deployment delete preview/NAME",
            )
        record = PreviewRecord(name=name, port=port, created_at=now_ms, deployed_at=now_ms, expires_at=now_ms)
        self._records[name] = record
        return record

    def _keep(self, record: PreviewRecord) -> None:
        folder = self._folder / record.name
        for each in (self._folder, folder):
            each.mkdir(mode=PASSABLE_FOLDER, exist_ok=True)
        write_private(folder / PREVIEW_FILE, msgspec.json.encode(record))

    async def remove(self, name: str) -> PreviewInfo:
        """Stop a preview and delete everything that it had; return what is known of it.

        Raises:
            RequestError: there is none of this name.
        """
        async with self._lock:
            if name not in self._records:
                raise RequestError(
                    f"there is no preview {name!r}",
                    status=404,
                    code="PreviewNotFound",
                    hint="convexpy deployment previews",
                )
            known = self._described(self._records[name])
            await self._remove(name)
            return known

    async def _remove(self, name: str) -> None:
        await self._servers.stop(name)
        folder = self._folder / name
        # Without its file it is not started again, however far the rest gets.
        (folder / PREVIEW_FILE).unlink(missing_ok=True)
        self._records.pop(name, None)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def listed(self) -> list[PreviewInfo]:
        """Return what is known of every preview, the last deployed first."""
        records = sorted(self._records.values(), key=lambda record: record.deployed_at, reverse=True)
        return [self._described(record) for record in records]

    def _described(self, record: PreviewRecord) -> PreviewInfo:
        url, site_url = self._servers.urls(record.name, record.port)
        return PreviewInfo(
            name=record.name,
            url=url,
            site_url=site_url,
            state=self._servers.state(record.name),
            created_at=record.created_at,
            deployed_at=record.deployed_at,
            expires_at=record.expires_at,
            actor=record.actor,
        )

"""Parts of files that are to be imported, spooled to disk until they are complete.

A part has the name `<number>.<sha256>`, so an interrupted upload is gone on with by asking what is there.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from convexpy.errors import RequestError
from convexpy.limits import UPLOAD_KEPT_S, UPLOAD_PARTS_MAX

PART_BYTES = 4 * 1024 * 1024
_TOKEN = re.compile(r"[0-9a-f]{32}")


class ImportUploads:
    """The folder of uploads. Methods block for as long as the disk does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self) -> str:
        """Begin an upload; return its token."""
        self.sweep()
        token = secrets.token_hex(16)
        (self._folder / token).mkdir(parents=True)
        return token

    def _of(self, token: str) -> Path:
        folder = self._folder / token
        if not _TOKEN.fullmatch(token) or not folder.is_dir():
            raise RequestError("there is no such upload, or it is too old", status=404, code="UploadNotFound")
        return folder

    def add(self, token: str, number: int, data: bytes) -> str:
        """Keep a part; return its token. The same part may come again.

        Raises:
            RequestError: no such upload, or a number that cannot be.
        """
        folder = self._of(token)
        if not 1 <= number <= UPLOAD_PARTS_MAX:
            raise RequestError(f"parts are numbered from 1 to {UPLOAD_PARTS_MAX}", code="BadPartNumber")
        digest = hashlib.sha256(data).hexdigest()
        for old in folder.glob(f"{number:06d}.*"):
            old.unlink()
        temporary = folder / f"new-{number}-{secrets.token_hex(4)}"
        temporary.write_bytes(data)
        temporary.rename(folder / f"{number:06d}.{digest}")
        return f"{number}-{digest}"

    async def add_stream(self, token: str, chunks: AsyncGenerator[bytes, None]) -> None:
        """Keep what comes as parts."""
        waiting = bytearray()
        number = 0
        async for chunk in chunks:
            waiting += chunk
            if len(waiting) >= PART_BYTES:
                number += 1
                self.add(token, number, bytes(waiting))
                waiting.clear()
        self.add(token, number + 1, bytes(waiting))

    def parts(self, token: str) -> dict[int, str]:
        """Return the digests (hex) of the parts that are there, by number."""
        found = (path.name.split(".") for path in self._of(token).iterdir() if "." in path.name)
        return {int(number): digest for number, digest in sorted(found)}

    def tokens(self, token: str) -> list[str]:
        """Return the tokens of all parts."""
        return [f"{number}-{digest}" for number, digest in self.parts(token).items()]

    def check(self, token: str, parts: list[str]) -> None:
        """Refuse a list of part tokens that is not just what is there, in order (RequestError)."""
        if parts != self.tokens(token) or [int(part.split("-")[0]) for part in parts] != [
            *range(1, len(parts) + 1)
        ]:
            raise RequestError("the part tokens are not those of this upload, in order", code="BadPartTokens")

    def join(self, token: str, parts: list[str], target: Path) -> None:
        """Make one file of the parts, which are gone afterwards."""
        folder = self._of(token)
        with target.open("wb") as out:
            for part in parts:
                number, _, digest = part.partition("-")
                path = folder / f"{int(number):06d}.{digest}"
                with path.open("rb") as data:
                    shutil.copyfileobj(data, out, 1024 * 1024)
                path.unlink()
        self.remove(token)

    def remove(self, token: str) -> None:
        """Forget an upload."""
        if _TOKEN.fullmatch(token):
            shutil.rmtree(self._folder / token, ignore_errors=True)

    def sweep(self) -> None:
        """Remove uploads that nobody has gone on with for a day."""
        if self._folder.is_dir():
            for folder in self._folder.iterdir():
                if folder.stat().st_mtime < time.time() - UPLOAD_KEPT_S:
                    shutil.rmtree(folder, ignore_errors=True)

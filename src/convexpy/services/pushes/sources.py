"""The module texts of pushed versions: by content, and materialised into a folder per version."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from convexpy.errors import RequestError
from convexpy.limits import (
    PUSH_BYTES_MAX,
    PUSH_FILE_BYTES_MAX,
    PUSH_FILES_MAX,
    SOURCE_BATCH_BYTES,
    SOURCE_PART_BYTES,
)

BATCH_PARTS_MAX = 1000
_PATH_PART = re.compile(r"[^/\\\0]{1,255}")


class PushedModule(msgspec.Struct):
    """A module of a push: its content's hash, and the content where the server may not have it."""

    sha256: str
    source: str | None = None


class MissingModules(RequestError):
    """The server has never seen the contents of these modules."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(
            f"the contents of {len(paths)} modules are missing, first {paths[0]!r}",
            status=409,
            code="MissingModules",
            data={"missing": paths},
        )


def check_path(path: str) -> None:
    """Refuse a module path that could leave its folder."""
    parts = path.split("/")
    good = all(_PATH_PART.fullmatch(part) and part not in (".", "..") for part in parts)
    if not good or len(path) > 1024 or not path.isprintable():
        raise RequestError(f"{path!r} is not a valid module path", code="BadModulePath")


class SourceStore:
    """Contents by hash, in `folder/contents`, and one folder of files per version in `folder/<number>`.

    `code_cache` is where executors keep compiled modules.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contents = folder / "contents"
        self._contents.mkdir(parents=True, exist_ok=True)
        self.code_cache: Path = folder / "compiled"

    def missing(self, modules: Mapping[str, str]) -> list[str]:
        """Return the paths whose content is not here."""
        return [path for path, sha256 in modules.items() if self.size(sha256) is None]

    def size(self, sha256: str) -> int | None:
        """Return the bytes of a content, None if it is not here."""
        try:
            return self._content(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def _content(self, sha256: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise RequestError(f"{sha256!r} is not a SHA-256 digest in hex", code="BadModuleHash")
        return self._contents / sha256

    def read(self, sha256: str) -> bytes:
        """Return a content."""
        return self._content(sha256).read_bytes()

    def add(self, source: bytes) -> str:
        """Keep a content; return its hash."""
        sha256 = hashlib.sha256(source).hexdigest()
        path = self._content(sha256)
        if not path.is_file() or path.stat().st_size != len(source):
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_bytes(source)
            temporary.replace(path)
        return sha256

    def receive(self, modules: Mapping[str, PushedModule]) -> dict[str, str]:
        """Keep what a push brings; return path → hash.

        Raises:
            RequestError: a path, hash or content is malformed, or there are too many.
            MissingModules: a content is neither here nor in the push.
        """
        if len(modules) > PUSH_FILES_MAX:
            text = f"the app has {len(modules)} files, and may have {PUSH_FILES_MAX}"
            raise RequestError(text, code="TooManyModules")
        for path, module in modules.items():
            check_path(path)
            if module.source is None:
                continue
            try:
                source = base64.b64decode(module.source, validate=True)
            except binascii.Error as error:
                raise RequestError(
                    f"the content of {path} is not valid base64", code="BadModuleSource"
                ) from error
            if len(source) > PUSH_FILE_BYTES_MAX:
                text = f"{path} has {len(source)} bytes, and may have {PUSH_FILE_BYTES_MAX}"
                raise RequestError(text, code="ModuleTooLarge")
            if self.add(source) != module.sha256:
                raise RequestError(f"the content of {path} does not have its hash", code="BadModuleHash")
        wanted = {path: module.sha256 for path, module in modules.items()}
        sizes = {path: self.size(sha256) for path, sha256 in wanted.items()}
        missing = [path for path, size in sizes.items() if size is None]
        if missing:
            raise MissingModules(missing)
        size = sum(size or 0 for size in sizes.values())
        if size > PUSH_BYTES_MAX:
            text = f"the files of the app have {size} bytes together, and may have {PUSH_BYTES_MAX}"
            raise RequestError(text, code="PushTooLarge")
        return wanted

    def batches(self, sha256s: Iterable[str]) -> Iterator[list[tuple[str, int, bytes]]]:
        """Yield the parts of contents, (hash, number, bytes) each, in lists of a few MiB."""
        batch: list[tuple[str, int, bytes]] = []
        size = 0
        for sha256 in sha256s:
            source = self.read(sha256)
            for number, start in enumerate(range(0, max(len(source), 1), SOURCE_PART_BYTES)):
                part = source[start : start + SOURCE_PART_BYTES]
                batch.append((sha256, number, part))
                size += len(part)
                if size >= SOURCE_BATCH_BYTES or len(batch) >= BATCH_PARTS_MAX:
                    yield batch
                    batch, size = [], 0
        if batch:
            yield batch

    def materialise(self, version: int, modules: Mapping[str, str]) -> Path:
        """Write the files of a version into a folder of their own; contents are linked, not copied, where possible."""
        folder = self._folder / str(version)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        made = {folder}
        for path, sha256 in modules.items():
            target = folder.joinpath(*path.split("/"))
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            try:
                os.link(self._content(sha256), target)
            except OSError:
                shutil.copyfile(self._content(sha256), target)
        return folder

    def folder_of(self, version: int) -> Path:
        """Return the folder of a version that was materialised."""
        return self._folder / str(version)

    def sweep(self, keep: int, used: frozenset[str] = frozenset()) -> None:
        """Remove the folders of older versions than the live one that are not used; a newer one may be on its way already."""
        for folder in self._folder.iterdir():
            if folder.name.isdecimal() and int(folder.name) < keep and str(folder) not in used:
                shutil.rmtree(folder, ignore_errors=True)

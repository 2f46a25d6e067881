"""The versions that a rollback can bring back: the newest, as far as their number and their files' size allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from convexpy.errors import RequestError
from convexpy.limits import KEPT_VERSIONS_BYTES, KEPT_VERSIONS_MAX
from convexpy.services.pushes.requests import PushConfig
from convexpy.services.pushes.sources import SourceStore


@dataclass(frozen=True, kw_only=True)
class KeptVersion:
    """What it takes to make a version live again.

    `manifest` is the hash of the list of its files, which is kept as a content among theirs: two versions with the same
    files have the same one. `pushed` is its entry in the history.
    """

    manifest: str
    modules: dict[str, str]
    config: PushConfig
    pushed: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def contents(self) -> frozenset[str]:
        """The hashes of everything that has to be kept for it."""
        return frozenset((self.manifest, *self.modules.values()))


def manifest_of(modules: Mapping[str, str]) -> bytes:
    """Return the list of a version's files, path → hash, as it is kept."""
    return msgspec.json.encode(dict(sorted(modules.items())))


def modules_of(manifest: bytes) -> dict[str, str]:
    """Return the files of a manifest, path → hash."""
    return msgspec.json.decode(manifest, type=dict[str, str])


@dataclass(kw_only=True, eq=False)
class KeptVersions:
    """Knows the kept versions by number, the live one among them."""

    sources: SourceStore
    versions: dict[int, KeptVersion]

    @property
    def contents(self) -> frozenset[str]:
        """The hashes of the contents that any of them needs."""
        return frozenset[str]().union(*(version.contents for version in self.versions.values()))

    def get(self, number: int) -> KeptVersion:
        """Return a version.

        Raises:
            RequestError: it is not kept (code `VersionNotKept`).
        """
        if number in self.versions:
            return self.versions[number]
        numbers = ", ".join(str(each) for each in sorted(self.versions, reverse=True))
        raise RequestError(
            f"version {number} is not kept" + (f"; those kept are {numbers}" if numbers else ""),
            status=404,
            code="VersionNotKept",
            hint="convexpy deployment history",
            data={"kept": sorted(self.versions), "retryOn": "never"},
        )

    def beside(self, new: KeptVersion) -> list[int]:
        """Return the numbers that stay kept when `new` goes live: the newest whose other contents fit the bounds."""
        counted, size = set(new.contents), 0
        found: list[int] = []
        for number in sorted(self.versions, reverse=True)[: KEPT_VERSIONS_MAX - 1]:
            more = self.versions[number].contents - counted
            size += sum(self.sources.size(sha256) or 0 for sha256 in more)
            if size > KEPT_VERSIONS_BYTES:
                break
            counted |= more
            found.append(number)
        return found

    def activated(self, number: int, new: KeptVersion, beside: list[int]) -> None:
        """Note that `new` is live, and which stay kept."""
        self.versions = {number: new, **{each: self.versions[each] for each in beside}}

"""The browser bundle of the npm package `convex`: of the project if it has installed it, else downloaded once.

A first page needs no Node.js for it. The version and the hash of its archive are fixed here, so that what is run is what was
tested. `npm_config_registry` names another registry, as it does for npm.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
import threading
from pathlib import Path

VERSION = "1.48.0"
INTEGRITY = "M9jEgTvCN8ziP/VgQQUH+j0ijM7g+NmQd8tFlvETK8/HMC/aaqHZwcu4hBO30X5DV2VIyYK4mOoLQGIb1766ew=="
"""SHA-512 of the archive, as npm writes it into lock files."""
_REGISTRY = "https://registry.npmjs.org"
BUNDLE = "dist/browser.bundle.js"
_TIMEOUT_S = 30.0


class BrowserClient:
    """Finds the bundle for the page in a folder."""

    def __init__(self, folder: Path) -> None:
        self._installed = folder / "node_modules" / "convex" / BUNDLE
        self._lock = threading.Lock()

    def script(self) -> bytes:
        """Return the bundle.

        Raises:
            OSError: it is not installed, and could not be downloaded; the message says what to do.
        """
        with self._lock:
            for file in (self._installed, kept := _cache() / f"convex-{VERSION}.browser.js"):
                if file.is_file():
                    return file.read_bytes()
            script = _bundle_of(_download())
            kept.parent.mkdir(parents=True, exist_ok=True)
            partial = kept.with_suffix(f".{os.getpid()}")
            partial.write_bytes(script)
            partial.replace(kept)
            return script


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "convexpy"


def _download() -> bytes:
    import httpx

    names = ("npm_config_registry", "NPM_CONFIG_REGISTRY")  # npm takes both
    registry = next((os.environ[name] for name in names if os.environ.get(name)), _REGISTRY)
    address = f"{registry.rstrip('/')}/convex/-/convex-{VERSION}.tgz"
    try:
        answer = httpx.get(address, follow_redirects=True, timeout=_TIMEOUT_S)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise OSError(
            f"the npm package convex {VERSION} could not be downloaded ({error}); "
            "install it in the folder of the page: npm install convex"
        ) from error
    digest = base64.b64encode(hashlib.sha512(answer.content).digest()).decode()
    if digest != INTEGRITY:
        raise OSError(f"{address} is not the archive that was published: its hash is {digest}")
    return answer.content


def _bundle_of(archive: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
        member = files.extractfile(f"package/{BUNDLE}")
        if member is None:
            raise OSError(f"convex {VERSION} has no {BUNDLE}")
        # The comment at its end names a file that is not served.
        return member.read().partition(b"//# sourceMappingURL=")[0]

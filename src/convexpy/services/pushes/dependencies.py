"""The packages that pushed functions need, installed by the server into folders of their own.

A push may carry `requirements.txt`. Before the version is imported, the packages go into `DATA/env/<hash>`: the hash is of
the requirements, of the files that they name, and of the Python that runs here. The folder appears whole or not at all, so
a failed installation leaves the version before as it was. The server's own environment is never written to.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import re
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from convexpy.errors import ProjectError, SourceLocation
from convexpy.errors.texts import decode_text
from convexpy.executors.base_process import ENVIRONMENT_KEPT, run_as
from convexpy.executors.executor_user import executor_user
from convexpy.protocol.executor_settings import PACKAGES_VARIABLE

REQUIREMENTS = "requirements.txt"
INSTALL_S_MAX = 540.0
OUTPUT_LINES = 20
LINE_LENGTH_MAX = 500
OWN_PACKAGES = ("msgspec", "sortedcontainers", "typing_extensions")
"""What every executor has imported for itself: the app can only get the version that is there."""
_CONVEXPY = re.compile(r"convexpy\s*(\[[^\]]*\])?\s*([=<>!~;@#].*)?", re.IGNORECASE)
_NAMES_FILES = re.compile(r"\s*(-|\.{1,2}/|[^#]*\.(whl|zip|tar\.gz)\b)")
_USER_INFO = re.compile(r"(\w+://)[^/\s?#\"'<>]+@")
_INSTALLER_VARIABLES = re.compile(
    r"(PIP|UV)_\w+|(HTTPS?|NO|ALL)_PROXY|NETRC|SYSTEMDRIVE|APPDATA|LOCALAPPDATA", re.IGNORECASE
)
logger: logging.Logger = logging.getLogger("convexpy.dependencies")


class DependenciesFailed(ProjectError):
    """The packages that the functions need could not be installed; `data["output"]` is the end of what was said."""


class Dependencies:
    """The folders of installed packages of one deployment. Where `install` is off, the app shares our environment."""

    def __init__(self, folder: Path, *, install: bool) -> None:
        self._folder = folder
        self._install = install
        self._live = self._before = ""

    async def prepare(self, modules: Mapping[str, str], source: Path) -> dict[str, str]:
        """Return what the processes of a version need in their environment; install first what is not there.

        `modules` are its files with their hashes, `source` is where they are.

        Raises:
            DependenciesFailed: the installer failed, or there is none.
        """
        if not self._install:
            return {}
        name = self._name(modules, source)
        if not name:
            return {PACKAGES_VARIABLE: ""}
        target = self._folder / name
        if not target.is_dir():
            await asyncio.to_thread(self._sweep)
            await self._install_into(target, source)
        return {PACKAGES_VARIABLE: str(target)}

    def _name(self, modules: Mapping[str, str], source: Path) -> str:
        """Return the name of a version's folder; empty if it needs no packages."""
        lines = _lines(source / REQUIREMENTS)
        if not self._install or not any(line and not line.startswith("#") for line in lines):
            return ""
        python = (sys.implementation.cache_tag, sys.platform, platform.machine())
        parts = [str(python), modules[REQUIREMENTS]]
        if any(_NAMES_FILES.match(line) for line in lines):
            parts += [
                f"{path} {sha256}" for path, sha256 in sorted(modules.items()) if not path.endswith(".py")
            ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def activated(self, modules: Mapping[str, str], source: Path) -> None:
        """Note which folder the live version uses; that of the version before stays for what still runs of it."""
        name = self._name(modules, source)
        if name != self._live:
            self._before, self._live = self._live, name

    def _sweep(self) -> None:
        """Remove the folders that no version needs any more, and what an interrupted installation has left."""
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            if folder.name not in (self._live, self._before, "cache"):
                shutil.rmtree(folder, ignore_errors=True)

    # Installation

    async def _install_into(self, target: Path, source: Path) -> None:
        temporary = self._folder / f".new-{target.name}-{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        user = executor_user()
        if user is not None:  # packages run code of their own when they are built
            user.may_write(self._folder)
            user.may_write(temporary)
        own = source / f".{REQUIREMENTS}"
        try:
            # Functions run with the server's own convexpy: a line that asks for another is dropped.
            asked = ["" if _CONVEXPY.fullmatch(line) else line for line in _lines(source / REQUIREMENTS)]
            own.write_text("\n".join(asked) + "\n")
            constraints = temporary.with_suffix(".constraints")
            constraints.write_text("".join(f"{name}=={version}\n" for name, version in _own_versions()))
            packages = temporary / "packages"
            await self._run(_command(packages, own, constraints), source)
            packages.mkdir(exist_ok=True)
            packages.rename(target)
        finally:
            own.unlink(missing_ok=True)
            temporary.with_suffix(".constraints").unlink(missing_ok=True)
            shutil.rmtree(temporary, ignore_errors=True)
        logger.info("installed the packages of %s into %s", REQUIREMENTS, target)

    async def _run(self, command: list[str], source: Path) -> None:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=source,
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            **run_as(),
        )
        try:
            async with asyncio.timeout(INSTALL_S_MAX):
                output, _ = await process.communicate()
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError, AttributeError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            if isinstance(error, TimeoutError):
                raise _failed(f"the installer did not end within {INSTALL_S_MAX:g} s", "") from error
            raise
        if process.returncode:
            raise _failed("", output.decode(errors="replace"))

    def _environment(self) -> dict[str, str]:
        """Return the environment of the installer: packages run code of their own when they are built."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if (name in ENVIRONMENT_KEPT and name not in ("PYTHONPATH", "VIRTUAL_ENV"))
            or _INSTALLER_VARIABLES.fullmatch(name)
        }
        cache = str(self._folder / "cache")
        return {"PIP_CACHE_DIR": cache, "UV_CACHE_DIR": cache, **kept}


def _lines(file: Path) -> list[str]:
    try:
        return [line.strip() for line in decode_text(file.read_bytes(), REQUIREMENTS).splitlines()]
    except FileNotFoundError:
        return []


def _own_versions() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name in OWN_PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append((name, importlib.metadata.version(name)))
    return found


def _command(target: Path, requirements: Path, constraints: Path) -> list[str]:
    files = ["--target", str(target), "-r", str(requirements), "-c", str(constraints)]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", sys.executable, "--no-progress", "--color", "never", *files]
    if importlib.util.find_spec("pip") is None:
        raise _failed("there is neither uv nor pip on the server", "", hint="install uv where convexpy runs")
    quiet = [
        "--no-input",
        "--disable-pip-version-check",
        "--no-warn-script-location",
        "--progress-bar",
        "off",
    ]
    return [sys.executable, "-I", "-m", "pip", "install", *quiet, *files]


def _failed(reason: str, output: str, *, hint: str | None = None) -> DependenciesFailed:
    masked = _USER_INFO.sub(r"\1…@", output)
    lines = [line.rstrip()[:LINE_LENGTH_MAX] for line in masked.splitlines() if line.strip()][-OUTPUT_LINES:]
    errors = [line for line in lines if re.search(r"error|because", line, re.IGNORECASE)]
    reason = reason or (errors or lines or ["the installer failed"])[-1].strip().removeprefix("ERROR: ")
    return DependenciesFailed(
        f"the packages of {REQUIREMENTS} could not be installed: {reason}",
        location=SourceLocation(REQUIREMENTS),
        hint=hint or "the version before goes on: correct the file and push again",
        data={"output": lines},
    )

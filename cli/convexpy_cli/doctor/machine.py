"""Checks of this machine: Python, packages, disk space, the user's file of keys, and a newer version on request."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import stat
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from convexpy.errors.texts import read_text
from convexpy.project import user_folder
from convexpy_cli.docs import about, updating
from convexpy_cli.doctor.findings import Check, Finding, Repair, Scene, fail, ok, skip, warn
from convexpy_cli.output.units import size_text

PYTHON_MIN = (3, 11)
DISK_LOW_BYTES = 1024**3
DISK_EMPTY_BYTES = 100 * 1024**2


def python(_scene: Scene) -> Finding:
    """Whether this Python is new enough."""
    version = platform.python_version()
    if sys.version_info < PYTHON_MIN:
        wanted = ".".join(map(str, PYTHON_MIN))
        return fail(
            f"Python {version}", why=f"convexpy needs Python {wanted}", fix=f"uv python install {wanted}"
        )
    return ok(f"Python {version} ({sys.executable})")


def dependencies(_scene: Scene) -> Finding:
    """Whether the packages that convexpy needs are installed, and new enough."""
    wrong: list[str] = []
    requirements = _requirements()
    for each in requirements:
        try:
            present = importlib.metadata.version(each.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{each.name} is not installed")
            continue
        if not each.specifier.contains(present, prereleases=True):
            wrong.append(f"{each.name} {present} is not {each.specifier}")
    if wrong:
        fix = updating.command_of(about.install_method()) or "uv sync"
        return fail("; ".join(wrong), why="commands that use them fail", fix=fix)
    return ok(f"{len(requirements)} packages are installed and recent enough")


def _requirements() -> list[Requirement]:
    """Return the packages that this copy needs on this system."""
    try:
        texts = importlib.metadata.requires("convexpy") or []
    except importlib.metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[3] / "pyproject.toml"
        texts = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    found = map(Requirement, texts)
    return [each for each in found if each.marker is None or each.marker.evaluate({"extra": ""})]


def disk(scene: Scene) -> Finding:
    """Whether there is room for a local deployment."""
    folder = Path.cwd() if scene.project_error else scene.project.root
    free = shutil.disk_usage(folder).free
    message = f"{size_text(free)} free"
    why = "a deployment stops accepting writes when its disk is full"
    if free < DISK_EMPTY_BYTES:
        return fail(message, why=why, fix="free up disk space")
    if free < DISK_LOW_BYTES:
        return warn(message, why=why, fix="free up disk space")
    return ok(message)


def credentials(_scene: Scene) -> Finding:
    """Whether the remembered keys can be read by their owner alone."""
    file = user_folder() / "credentials.toml"
    if not file.is_file():
        return skip("no keys are stored")
    tomllib.loads(read_text(file, only_utf8=True))
    if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        return fail(
            f"{file} can be read by others",
            why="it contains admin keys and is ignored while others can read it",
            fix=f"chmod 600 {file}",
            repair=Repair(lambda: file.chmod(0o600)),
        )
    return ok(str(file))


def updates(scene: Scene) -> Finding:
    """Whether there is a newer version; the package index is asked only with `--updates`."""
    if not scene.updates:
        return skip("not requested", fix="convexpy doctor --updates")
    here, newest = about.version_text(), updating.newest_version()
    if Version(newest) > Version(here):
        command = updating.command_of(about.install_method()) or "git pull"
        return warn(f"{newest} is available, {here} is installed", why="newer versions fix bugs", fix=command)
    return ok(f"{here} is the latest version")


CHECKS = (
    Check("python", python),
    Check("dependencies", dependencies),
    Check("updates", updates),
    Check("disk", disk),
    Check("credentials", credentials),
)

"""docs/vps.md and the Dockerfile of `init`, carried out on a fresh Debian: to the first answer of the app."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import ROOT
from support.rootfs import Root, build, can_be_made, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("fresh system"),
    pytest.mark.skipif(
        not can_be_made(), reason="needs root and debootstrap: a fresh Debian cannot be made here"
    ),
]
PAGE = ROOT / "docs" / "vps.md"
BLOCKS = re.findall(
    r"^```sh\n# (at your desk|on the server)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
)


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A fresh system."""
    return Root.of_debian(tmp_path_factory.mktemp("debian") / "root")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `init` makes it, with a wheel of this convexpy."""
    folder = tmp_path_factory.mktemp("project")
    convexpy(folder, "init", "app", "--docker", "--no-git", "--yes")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", "wheels", str(ROOT)]
    subprocess.run(command, cwd=folder / "app", check=True, timeout=600)
    return folder / "app"


def convexpy(folder: Path, *arguments: str, **variables: str) -> str:
    """Run the command line at the desk."""
    command = [sys.executable, "-m", "convexpy_cli", *arguments]
    env = {**os.environ, **variables, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def serving(root: Root, command: list[str], user: str) -> Iterator[str]:
    """Run a server inside, on any free port, and see that it stops well; the value is its address."""
    command = [*command, "--port", "0", "--site-port", "0", "--json"]
    server = subprocess.Popen(
        root.entered(*command, user=user),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
    finally:
        # The commands that enter the system have replaced themselves with the server.
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    assert server.returncode == 0


def test_an_image_serves_the_app(debian: Root, project: Path, tmp_path: Path) -> None:
    image = build(project / "Dockerfile", debian, tmp_path / "image")
    with serving(image.root, [*image.entrypoint, *image.arguments], image.user) as url:
        check = [word.replace("http://127.0.0.1:3210", url) for word in image.healthcheck]
        image.root.run(*check, user=image.user)
        target = {
            "CONVEXPY_URL": url,
            "CONVEXPY_DEPLOY_KEY": image.root.path("/data/deployment/admin-key").read_text().strip(),
        }
        convexpy(project, "run", "tasks:add", "text=Water", **target)
        listed = json.loads(convexpy(project, "run", "tasks:list", **target))
    assert [task["text"] for task in listed] == ["Water"]


def test_a_machine_serves_and_backs_up(debian: Root, project: Path, tmp_path: Path) -> None:
    root = debian.copy(tmp_path / "machine")
    for wheel in (project / "wheels").iterdir():
        root.path("/root").joinpath(wheel.name).write_bytes(wheel.read_bytes())
    root.write("/usr/bin/systemctl", "#!/bin/sh\n")  # nothing starts anything here
    root.path("/usr/bin/systemctl").chmod(0o755)
    install, unit, proxy, key, backup, _ = [block for place, block in BLOCKS if place == "on the server"]
    for step in (install, unit, proxy):
        root.run("bash", "-euc", step)
    root.run("caddy", "validate", "--config", "/etc/caddy/Caddyfile")
    root.run("install", "-d", "-o", "convexpy", "/var/lib/convexpy")  # what StateDirectory= does
    with serving(root, started_by(root, "convexpy"), "convexpy") as url:
        target = {"CONVEXPY_URL": url, "CONVEXPY_DEPLOY_KEY": root.run("bash", "-euc", key).strip()}
        convexpy(project, "deploy", "--yes", **target)
        convexpy(project, "run", "tasks:add", "text=Water", **target)
        root.run("bash", "-euc", backup.replace("http://127.0.0.1:3210", url))
        written = root.path("/etc/convexpy-backup.env").read_text()
        variables = dict(line.split("=", 1) for line in written.splitlines())
        root.run(*started_by(root, "convexpy-backup"), env=variables)
    (saved,) = root.path("/var/backups/convexpy").glob("*.zip")
    assert "valid; 1 document in 1 table" in convexpy(project, "backup", "verify", str(saved))


def started_by(root: Root, unit: str) -> list[str]:
    """Return the command of a unit."""
    text = root.path(f"/etc/systemd/system/{unit}.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    return shlex.split(re.sub(r" --(site-)?origin \S+", "", command))  # names of somebody else

"""A root file system of Debian in a folder, where commands run as on a machine of their own but for the network.

There is no container runtime where the tests run: what a Dockerfile says is carried out step by step.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

RELEASE = "bookworm"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TRUSTED = "/etc/ssl/trusted-outside.crt"
# Mounts end with the process: nothing is left behind when a test is killed.
ENTER = 'mount --bind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'


def can_be_made() -> bool:
    """Whether this user and this machine can make one."""
    return os.geteuid() == 0 and shutil.which("debootstrap") is not None


class Root:
    """A root file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_debian(cls, folder: Path) -> Root:
        """Make the smallest system that Debian calls one; it trusts the certificates of this machine, as does its pip."""
        command = ["debootstrap", "--variant=minbase", RELEASE, str(folder)]
        subprocess.run(command, check=True, capture_output=True, timeout=900)
        root = cls(folder)
        for name in ("/etc/resolv.conf", "/etc/pip.conf"):
            if Path(name).is_file():
                root.write(name, Path(name).read_text())
        if CERTIFICATES.exists():
            root.write(TRUSTED, CERTIFICATES.read_text())
        return root

    def copy(self, folder: Path) -> Root:
        """Return another one with the same content."""
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.folder), str(folder)], check=True, timeout=300)
        return Root(folder)

    def path(self, inside: str) -> Path:
        """Return where a path of the system is."""
        return self.folder / inside.lstrip("/")

    def write(self, inside: str, text: str) -> None:
        """Write a file."""
        self.path(inside).parent.mkdir(parents=True, exist_ok=True)
        self.path(inside).write_text(text)

    def entered(self, *command: str, user: str = "root") -> list[str]:
        """Return the command that runs a command inside."""
        inside = (
            list(command)
            if user == "root"
            else ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", *command]
        )
        return [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            ENTER,
            str(self.folder),
            *inside,
        ]

    def run(self, *command: str, user: str = "root", env: Mapping[str, str] | None = None) -> str:
        """Run a command to its end, which must be a success; return what it wrote to stdout."""
        done = subprocess.run(
            self.entered(*command, user=user),
            env=environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of a fresh shell, which trusts what this machine trusts."""
    trust = dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT"), TRUSTED) if CERTIFICATES.exists() else {}
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        **trust,
        **(more or {}),
    }


@dataclass
class Image:
    """What a Dockerfile makes."""

    root: Root
    user: str = "root"
    entrypoint: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)


def build(dockerfile: Path, base: Root, folder: Path) -> Image:
    """Carry out a Dockerfile with its folder as the context."""
    image = Image(base)
    for name, rest in instructions(dockerfile.read_text()):
        match name:
            case "FROM":
                assert rest == f"debian:{RELEASE}-slim", rest
                image.root = base.copy(folder)
            case "RUN":
                image.root.run("sh", "-c", rest, user=image.user, env={"DEBIAN_FRONTEND": "noninteractive"})
            case "COPY":
                source, target = rest.split()
                into = image.root.path(target)
                into.mkdir(parents=True, exist_ok=True)
                copied = dockerfile.parent / source
                if copied.is_dir():
                    shutil.copytree(copied, into, dirs_exist_ok=True)
                else:
                    shutil.copy(copied, into)
            case "USER":
                image.user = rest
            case "EXPOSE":
                image.ports = [int(port) for port in rest.split()]
            case "HEALTHCHECK":
                image.healthcheck = json.loads(rest.removeprefix("CMD "))
            case "ENTRYPOINT":
                image.entrypoint = json.loads(rest)
            case "CMD":
                image.arguments = json.loads(rest)
            case "VOLUME":
                assert image.root.path(rest).is_dir(), rest
            case _:
                raise AssertionError(f"what does {name} do?")
    return image


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Return name and rest of every instruction."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for line in re.sub(r"\\\n", " ", lines).splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield name, rest.strip()

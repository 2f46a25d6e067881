"""The state of a project's local deployment: its folder, keys, ports, and the lock of who pushes to it.

Only files are handled here; starting the server is the command line's.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from convexpy.project._locate import Project
from convexpy.runtime import PRIVATE_FOLDER

DEFAULT_PORTS = (3210, 3211)


@dataclass(frozen=True)
class LockHolder:
    """Who serves and pushes a deployment: a process, and where its server listens (0: not yet known)."""

    pid: int
    startTime: str  # noqa: N815 - the name in the file
    command: str = "dev"
    port: int = 0
    sitePort: int = 0  # noqa: N815
    since: float = 0.0


class LocalDeployment:
    """`.convexpy/local/default` of a project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder: Path = project.state / "local" / "default"
        self._lock_file = self.folder / "lock.json"

    @property
    def log_file(self) -> Path:
        """What the server wrote to stderr."""
        return self.folder / "server.log"

    def prepare(self) -> None:
        """Make the folder; the state folder ignores itself in git."""
        self.folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        ignore = self.project.state / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")

    def admin_key(self) -> str | None:
        """Return the key that the server made at its first start, or None before that."""
        key = _read_json(self.folder / "keys.json").get("adminKey")
        return key if isinstance(key, str) else None

    def remembered_ports(self) -> tuple[int, int] | None:
        """Return the ports of the last start, or None."""
        ports = _read_json(self.folder / "ports.json")
        if isinstance(ports.get("port"), int) and isinstance(ports.get("sitePort"), int):
            return ports["port"], ports["sitePort"]
        return None

    def remember_ports(self, port: int, site_port: int) -> None:
        """Keep the ports for the next start."""
        if self.remembered_ports() != (port, site_port):
            _write_json(self.folder / "ports.json", {"port": port, "sitePort": site_port})

    def holder(self) -> LockHolder | None:
        """Return who holds the lock; None if nobody does, or a process that is gone."""
        content = _read_json(self._lock_file)
        try:
            holder = LockHolder(**content)
        except TypeError:
            return None
        return holder if process_start_time(holder.pid) == holder.startTime else None

    def acquire(self, command: str, since: float) -> LockHolder | None:
        """Take the lock for this process. Returns None, or the one who has it. A stale lock is taken over."""
        self.prepare()
        mine = LockHolder(os.getpid(), process_start_time(os.getpid()) or "", command, since=since)
        draft = self._lock_file.with_name(f"lock.{os.getpid()}.json")
        _write_json(draft, asdict(mine))
        try:
            for _ in range(3):
                try:
                    # A hard link appears whole or not at all, and fails if the name is taken.
                    os.link(draft, self._lock_file)
                except FileExistsError:
                    other = self.holder()
                    if other is not None:
                        return other
                    self._lock_file.unlink(missing_ok=True)
                else:
                    return None
            return self.holder()
        finally:
            draft.unlink(missing_ok=True)

    def publish(self, port: int, site_port: int) -> None:
        """Write into our lock where the server listens, so that other commands can attach."""
        content = _read_json(self._lock_file)
        if content.get("pid") == os.getpid():
            _write_json(self._lock_file, {**content, "port": port, "sitePort": site_port})

    def release(self) -> None:
        """Give the lock back, if it is ours."""
        if _read_json(self._lock_file).get("pid") == os.getpid():
            self._lock_file.unlink(missing_ok=True)


def process_start_time(pid: int) -> str | None:
    """Return when a process started, as text that no later process of that number has; None if gone."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    if sys.platform == "win32":
        return "unknown"
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip() or None


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen there now."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_pairs(start: int = DEFAULT_PORTS[0], host: str = "127.0.0.1") -> Iterator[tuple[int, int]]:
    """Yield pairs of neighbouring free ports, upwards from `start`."""
    for port in range(start, 65534, 2):
        if port_is_free(port, host) and port_is_free(port + 1, host):
            yield port, port + 1


def port_holder(port: int) -> str | None:
    """Return "pid 123 (command)" of who listens on a port, where the system tells (Linux), else None."""
    inodes = _listening_inodes(port)
    for folder in Path("/proc").glob("[0-9]*") if inodes else ():
        with contextlib.suppress(OSError):
            for link in (folder / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(link.readlink()) in inodes:
                        command = (
                            (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                        )
                        return f"pid {folder.name} ({command.strip()[:80]})"
    return None


def _listening_inodes(port: int) -> set[str]:
    found: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_json(file: Path, content: dict[str, Any]) -> None:
    temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
    temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
    temporary.replace(file)

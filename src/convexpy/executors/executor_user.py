"""Running app code as a user of its own, where the server runs as the superuser: in containers.

Executors then can read what a version needs (its modules, its packages, `data.db`), and neither keys nor the log nor other
processes of the server. Without this they can read whatever the server's own user can.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexpy.errors import Error

GROUP_READS = 0o027
PRIVATE = (("keys.json",), ("new-keys",), ("lock",), ("admin-key",))
VARIABLE = "CONVEXPY_EXECUTOR_USER"
"""Names the user. Of the environment, like everything that says how a container is run."""


class ExecutorUserInvalid(Error, code="ConfigInvalid"):
    """Executors cannot be run as the user that was named."""


@dataclass(frozen=True, slots=True)
class ExecutorUser:
    """A user of the system, with its group."""

    name: str
    uid: int
    gid: int
    home: str

    def popen(self) -> dict[str, Any]:
        """Return the arguments that make `subprocess` start a process as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def share(self, data: Path) -> None:
        """Let executors read a data folder from now on, but for what is private: keys, and what makes keys.

        Files that this process makes get the group of the user, and what the umask leaves it.
        """
        os.setegid(self.gid)
        os.umask(GROUP_READS)
        if data.stat().st_gid != self.gid:
            self._regroup(data)
        data.chmod(0o750)

    def _regroup(self, data: Path) -> None:
        for path in (data, *data.rglob("*")):
            if path.relative_to(data).parts[:1] in PRIVATE or path.is_symlink():
                continue
            os.chown(path, -1, self.gid)
            path.chmod(path.stat().st_mode & 0o700 | (0o050 if path.is_dir() else 0o040))

    def open_databases(self, data: Path) -> None:
        """Let executors take part in SQLite's locks of `data.db`, which is open; they cannot write into it."""
        shared_memory = data / "data.db-shm"
        if shared_memory.exists():
            os.chown(shared_memory, -1, self.gid)
            shared_memory.chmod(0o660)

    def may_write(self, folder: Path) -> None:
        """Let executors put files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, self.uid, self.gid)
        folder.chmod(0o770)


def executor_user() -> ExecutorUser | None:
    """Return the user that the environment names, or None: executors are of the server's user.

    Raises:
        ExecutorUserInvalid: there is no such user, it is the superuser, or the server may not change users.
    """
    name = os.environ.get(VARIABLE, "")
    if not name:
        return None
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise ExecutorUserInvalid(
            f"{VARIABLE} is set, and the server does not run as root: it cannot start processes of another user",
            hint=f"unset {VARIABLE}, or start the server as root",
        )
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise ExecutorUserInvalid(
            f"{VARIABLE} names {name!r}, and there is no such user", hint=f"useradd --system {name}"
        ) from error
    if entry.pw_uid == 0:
        raise ExecutorUserInvalid(f"{VARIABLE} names the superuser", hint="name another user")
    return ExecutorUser(name, entry.pw_uid, entry.pw_gid, entry.pw_dir)

"""Is a folder on a network file system? SQLite's WAL needs shared memory, locks and honest syncs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NETWORK_TYPES = frozenset(
    # Docker Desktop's and WSL's mounts of the host are among them: they pretend to be local.
    (
        *("nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "webdav", "9p", "drvfs"),
        *("fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.grpcfuse", "grpcfuse", "fakeowner", "osxfs"),
        *(
            "fuse.osxfs",
            "vboxsf",
            "fuse.vmhgfs-fuse",
            "prl_fs",
            "ceph",
            "glusterfs",
            "fuse.glusterfs",
            "lustre",
        ),
    )
)


def network_file_system(folder: Path) -> str | None:
    """Return the type of the network file system that holds `folder`, or None when it is local or unknown."""
    if sys.platform == "win32":
        return _windows(folder)
    if sys.platform == "darwin":
        listed = subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=False).stdout
        kind = type_in_mounts(folder.resolve(), _macos_mounts(listed))
    else:
        try:
            listed = Path("/proc/self/mountinfo").read_text()
        except OSError:
            return None
        kind = type_in_mounts(folder.resolve(), _linux_mounts(listed))
    return kind if kind in NETWORK_TYPES else None


def type_in_mounts(folder: Path, mounts: list[tuple[str, str]]) -> str | None:
    """Return the type of the mount that `folder` is in.

    The longest mount point above it, the last of equals.
    """
    best, found = -1, None
    for point, kind in mounts:
        if folder.is_relative_to(point) and len(Path(point).parts) >= best:
            best, found = len(Path(point).parts), kind
    return found


def _linux_mounts(text: str) -> list[tuple[str, str]]:
    mounts: list[tuple[str, str]] = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, types = before.split(" "), after.split(" ")
        if len(fields) > 4 and types[0]:
            mounts.append((fields[4].encode().decode("unicode_escape"), types[0]))
    return mounts


def _macos_mounts(text: str) -> list[tuple[str, str]]:
    mounts: list[tuple[str, str]] = []
    for line in text.splitlines():  # "//host/share on /Volumes/share (smbfs, nodev)"
        rest, _, options = line.rpartition(" (")
        _, _, point = rest.partition(" on ")
        if point:
            mounts.append((point, options.split(",")[0].strip(") ")))
    return mounts


def _windows(folder: Path) -> str | None:
    if sys.platform != "win32":
        return None
    import ctypes

    drive_remote = 4
    kind = ctypes.windll.kernel32.GetDriveTypeW(folder.resolve().anchor)
    return "network drive" if kind == drive_remote else None

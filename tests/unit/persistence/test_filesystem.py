"""Network file systems are recognised by the mount that holds a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexpy.persistence.sqlite._filesystem import (
    _linux_mounts,
    _macos_mounts,
    network_file_system,
    type_in_mounts,
)

LINUX = r"""
21 26 0:20 / /sys rw,nosuid - sysfs sysfs rw
26 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
90 26 0:50 / /mnt/share rw,relatime shared:2 - nfs4 server:/export rw
91 26 0:51 / /mnt/with\040space rw - cifs //server/share rw
92 90 0:52 / /mnt/share/local rw - xfs /dev/sdb1 rw
93 26 0:53 / /mnt/c rw - 9p C:\134 rw
""".strip()
MACOS = """
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)
//me@host/share on /Volumes/share (smbfs, nodev, nosuid, mounted by me)
""".strip()


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/me/app", "ext4"),
        ("/mnt/share/app", "nfs4"),
        ("/mnt/shared/app", "ext4"),
        ("/mnt/share/local/app", "xfs"),
        ("/mnt/with space/app", "cifs"),
        ("/mnt/c/Users/me", "9p"),
    ],
)
def test_the_longest_mount_point_decides(folder: str, kind: str) -> None:
    assert type_in_mounts(Path(folder), _linux_mounts(LINUX)) == kind


@pytest.mark.parametrize(("folder", "kind"), [("/Users/me", "apfs"), ("/Volumes/share/app", "smbfs")])
def test_mounts_of_macos_are_read(folder: str, kind: str) -> None:
    assert type_in_mounts(Path(folder), _macos_mounts(MACOS)) == kind


def test_a_temporary_folder_can_be_asked_about(tmp_path: Path) -> None:
    kind = network_file_system(tmp_path)
    assert kind is None or isinstance(kind, str)

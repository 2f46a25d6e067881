"""The local deployment's state: one holder of the lock, stale ones taken over, ports remembered."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from convexpy.project import (
    LocalDeployment,
    free_pairs,
    open_project,
    port_holder,
    port_is_free,
    process_start_time,
)


def deployment(folder: Path) -> LocalDeployment:
    return LocalDeployment(open_project(folder))


def test_the_lock_has_one_holder(tmp_path: Path) -> None:
    local = deployment(tmp_path)
    assert local.acquire("dev", 1.0) is None
    holder = deployment(tmp_path).acquire("run", 2.0)
    assert holder is not None
    assert (holder.pid, holder.command) == (os.getpid(), "dev")
    local.publish(4000, 4001)
    assert (holder := local.holder()) is not None
    assert holder.port == 4000
    local.release()
    assert local.holder() is None
    assert deployment(tmp_path).acquire("run", 3.0) is None


def test_the_lock_of_a_process_that_is_gone_is_taken_over(tmp_path: Path) -> None:
    local = deployment(tmp_path)
    local.prepare()
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    lock = {"pid": child.pid, "startTime": "1", "command": "dev", "port": 1, "sitePort": 2, "since": 0.0}
    (local.folder / "lock.json").write_text(json.dumps(lock))
    assert local.holder() is None
    assert local.acquire("dev", 1.0) is None


def test_a_number_that_another_process_has_now_is_stale(tmp_path: Path) -> None:
    local = deployment(tmp_path)
    local.prepare()
    (local.folder / "lock.json").write_text(
        json.dumps({"pid": os.getpid(), "startTime": "long ago", "port": 1})
    )
    assert local.holder() is None
    assert process_start_time(os.getpid()) == process_start_time(os.getpid())


def test_the_state_folder_ignores_itself(tmp_path: Path) -> None:
    deployment(tmp_path).prepare()
    assert (tmp_path / ".convexpy" / ".gitignore").read_text() == "*\n"


def test_ports_are_remembered_and_busy_ones_skipped(tmp_path: Path) -> None:
    local = deployment(tmp_path)
    assert local.remembered_ports() is None
    local.prepare()
    local.remember_ports(5000, 5001)
    assert deployment(tmp_path).remembered_ports() == (5000, 5001)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port: int = busy.getsockname()[1]
        assert not port_is_free(port)
        assert port not in next(free_pairs(port))
        if sys.platform == "linux":
            assert f"pid {os.getpid()} " in str(port_holder(port))

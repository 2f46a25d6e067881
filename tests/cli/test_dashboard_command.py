"""The command `convexpy dashboard`: what it prints, how it ends, and what it says when it cannot run."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WITHOUT_NICEGUI = """
import sys
sys.modules["nicegui"] = sys.modules["fastapi"] = None
from convexpy_cli.main import run
sys.exit(run(["dashboard", "--json"]))
"""


def test_without_the_extra_it_says_how_to_install_it(project: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_NICEGUI], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 3
    assert "PackageMissing" in ended.stderr
    assert "pip install 'convexpy[dashboard]'" in ended.stderr


def test_it_has_an_alias_and_is_in_the_help(run: Any) -> None:
    assert run("dash", "--help").stdout.startswith("Usage: convexpy dashboard")
    assert "  dashboard   Open the dashboard in a browser." in run("--help").stdout


@pytest.mark.slow
def test_a_port_that_is_taken_is_an_error(server: Any, run: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        target = ("--url", server.url, "--admin-key", server.admin_key)
        error = run("dashboard", "--port", port, *target, "--json", expect=10).error()
    assert error["code"] == "PortInUse"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="names a browser by a variable")
def test_a_browser_that_does_not_open_is_a_warning_and_ctrl_c_ends_it(server: Any, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "convexpy_cli",
        "dashboard",
        "--url",
        server.url,
        "--admin-key",
        server.admin_key,
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, env=server.environment({"BROWSER": "false", "CONVEXPY_CONFIG_DIR": str(tmp_path)}),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline()
        assert address.startswith("http://127.0.0.1:")
        lines: list[str] = []
        while not any("no browser could be opened" in line for line in lines):
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        process.send_signal(signal.SIGINT)
        said = process.stdout.read() + process.stderr.read()
        assert process.wait(60) in (0, 130)
    assert "Traceback" not in said
    assert "token" not in said

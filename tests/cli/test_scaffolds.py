"""Every scaffold: its generated files are fresh, its types are clean, its own tests pass, its clients work."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.plugin import plugin_flags

from convexpy.project import list_scaffolds
from convexpy_cli.context import wait_for
from convexpy_cli.docs.shipped import scaffolds_folder

pytestmark = pytest.mark.slow

NAMES = sorted(list_scaffolds(scaffolds_folder()))


@pytest.fixture(params=NAMES)
def app(request: pytest.FixtureRequest, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    run("init", "made", "--template", request.param, "--no-git", "--quiet")
    monkeypatch.chdir(tmp_path / "made")
    return tmp_path / "made"


def test_committed_generated_files_are_fresh(run: Any, app: Path) -> None:
    run("codegen", "--check")


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="no type checker here")
def test_types_are_clean(run: Any, app: Path) -> None:
    run("typecheck", "--checker", "mypy --strict --show-column-numbers --no-error-summary convex tests")


@pytest.mark.skipif(importlib.util.find_spec("pyright") is None, reason="no pyright here")
def test_pyright_has_nothing_to_say(app: Path) -> None:
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "."]
    child = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False, timeout=300)
    assert child.returncode == 0, child.stdout


@pytest.mark.skipif(importlib.util.find_spec("convexpy.testing.plugin") is None, reason="no plugin")
def test_its_own_tests_pass(app: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin_flags()]
    child = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stdout


@pytest.mark.skipif(importlib.util.find_spec("convex") is None, reason="the official client is not installed")
def test_two_terminal_clients_of_the_chat_see_each_other(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, background: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    run("init", "chat", "--template", "chat", "--no-git", "--quiet")
    dev = background(tmp_path / "chat", "dev", "--json", "--typecheck", "disable", "--codegen", "disable")
    url = dev.until("server")["url"]
    dev.until("pushed")
    command = [sys.executable, "client.py"]
    shown = {name: tmp_path / f"{name}.txt" for name in ("Ada", "Grace")}
    clients: dict[str, subprocess.Popen[str]] = {}
    try:
        for name, file in shown.items():
            with file.open("w") as output:
                clients[name] = subprocess.Popen(
                    [*command, name],
                    cwd=tmp_path / "chat",
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    text=True,
                    env={**os.environ, "CONVEX_URL": url},
                )
        for name, client in clients.items():
            assert client.stdin is not None
            client.stdin.write(f"hello from {name}\n")
            client.stdin.flush()
        wanted = ["Ada: hello from Ada", "Grace: hello from Grace"]
        for file in shown.values():
            seen = wait_for(
                lambda file=file: True if all(each in file.read_text() for each in wanted) else None, 30.0
            )
            assert seen, {name: each.read_text() for name, each in shown.items()}
    finally:
        for client in clients.values():
            client.kill()
            client.communicate()


def test_the_page_uses_a_file_that_the_package_ships() -> None:
    page = (scaffolds_folder() / "chat" / "web" / "index.html").read_text()
    assert 'src="node_modules/convex/dist/browser.bundle.js"' in page
    assert shutil.which("python3") or sys.executable

"""Packages of pushed functions: installed beside the server, swapped with the version, never half."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import ServerProcess
from support.production import FLAGS, ProductionServer, build_wheel

APP = """
from convexpy import query
import tinypackage

@query
def version(ctx) -> str:
    return tinypackage.VERSION
"""
PLAIN = """
from convexpy import query

@query
def version(ctx) -> str:
    return "none"
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "2.0"):
        build_wheel(folder, "tinypackage", version, f"VERSION = {version!r}\n")
    return folder


@pytest.fixture
def production(tmp_path: Path) -> Iterator[ProductionServer]:
    server = ProductionServer(tmp_path / "data")
    yield server
    server.close()


def requirements(wheels: Path, *lines: str) -> str:
    return "\n".join(["--no-index", f"--find-links {wheels}", *lines]) + "\n"


def environments(server: ProductionServer) -> set[str]:
    folder = server.data / "env"
    return {path.name for path in folder.iterdir()} - {"cache"} if folder.is_dir() else set()


def test_a_version_gets_its_packages_and_the_next_one_its_own(
    production: ProductionServer, wheels: Path
) -> None:
    one = {"fn.py": APP, "requirements.txt": requirements(wheels, "convexpy>=0.0.1", "tinypackage==1.0")}
    two = {"fn.py": APP, "requirements.txt": requirements(wheels, "tinypackage==2.0")}
    production.push_ok(one)
    assert production.call("query", "fn:version") == "1.0"
    first = environments(production)
    assert len(first) == 1
    production.push_ok(two)
    assert production.call("query", "fn:version") == "2.0"
    assert len(environments(production)) == 2  # what still runs of the version before may import from it
    assert importlib.util.find_spec("tinypackage") is None  # not in the environment that runs the server
    production.push_ok({"fn.py": PLAIN})
    assert production.call("query", "fn:version") == "none"
    production.push_ok({**one, "requirements.txt": one["requirements.txt"] + "# again\n"})
    assert production.call("query", "fn:version") == "1.0"
    assert not first & environments(production)


def test_a_failed_installation_leaves_the_old_version_serving(
    production: ProductionServer, wheels: Path
) -> None:
    production.push_ok({"fn.py": APP, "requirements.txt": requirements(wheels, "tinypackage==1.0")})
    before = environments(production)
    secret = "--extra-index-url https://somebody:hunter2@127.0.0.1:9/simple"
    status, answer = production.push(
        {
            "fn.py": APP.replace("VERSION", "__name__"),
            "requirements.txt": requirements(wheels, "tinypackage==9.9", secret),
        }
    )
    assert (status, answer["code"]) == (400, "DependenciesFailed"), answer
    assert "tinypackage==9.9" in answer["message"]
    assert answer["data"]["output"]
    assert "hunter2" not in str(answer)
    assert "hunter2" not in production.errors()
    assert production.call("query", "fn:version") == "1.0"
    assert environments(production) == before


def test_a_missing_package_says_where_to_name_it(production: ProductionServer) -> None:
    status, answer = production.push({"fn.py": APP})
    assert (status, answer["code"]) == (400, "ModuleLoadFailed")
    assert "requirements.txt" in answer["hint"]


def test_packages_are_there_after_a_restart_and_when_their_folder_is_lost(
    production: ProductionServer, wheels: Path
) -> None:
    production.push_ok({"fn.py": APP, "requirements.txt": requirements(wheels, "tinypackage==1.0")})
    assert production.stop() == 0
    subprocess.run(["rm", "-r", str(production.data / "env")], check=True)
    production.start()
    assert production.call("query", "fn:version") == "1.0"


def test_a_package_of_the_app_goes_before_one_of_the_server(
    production: ProductionServer, wheels: Path
) -> None:
    build_wheel(wheels, "cronsim", "99.0", "VERSION = 'the app has its own'\n")
    source = APP.replace("tinypackage", "cronsim")
    production.push_ok({"fn.py": source, "requirements.txt": requirements(wheels, "cronsim==99.0")})
    assert production.call("query", "fn:version") == "the app has its own"


def test_fresh_interpreters_find_the_packages_too(tmp_path: Path, wheels: Path) -> None:
    server = ProductionServer(tmp_path / "data", "--starter", "spawn")
    try:
        server.push_ok({"fn.py": APP, "requirements.txt": requirements(wheels, "tinypackage==1.0")})
        assert server.call("query", "fn:version") == "1.0"
    finally:
        server.close()


def test_a_development_server_installs_nothing(tmp_path: Path, wheels: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    try:
        server.push_ok({"fn.py": PLAIN, "requirements.txt": requirements(wheels, "tinypackage==1.0")})
        assert not (server.data / "env").exists()
        status, answer = server.push({"fn.py": APP})
        assert (status, answer["code"]) == (400, "ModuleLoadFailed")
        assert "the environment that runs convexpy" in answer["hint"]
    finally:
        server.close()


def test_what_a_vendored_wheel_holds_decides(production: ProductionServer) -> None:
    """A requirements file that names files is installed anew when one of them changes."""
    assert sys.version_info >= (3, 11)
    text = "--no-index\n./vendored.txt\n"
    status, answer = production.push({"fn.py": PLAIN, "requirements.txt": text, "vendored.txt": "no package"})
    assert (status, answer["code"]) == (400, "DependenciesFailed"), answer


def test_a_server_that_installs_at_its_start_can_be_stopped(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        index = f"--index-url http://127.0.0.1:{silent.getsockname()[1]}/simple\ntinypackage==1.0\n"
        modules = {
            path: {
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
                "source": base64.b64encode(text.encode()).decode(),
            }
            for path, text in {"fn.py": APP, "requirements.txt": index}.items()
        }
        with tempfile.TemporaryFile() as push:
            push.write(json.dumps({"modules": modules}).encode())
            push.flush()
            process = subprocess.Popen(
                [*ServerProcess.command(tmp_path / "data", *FLAGS), "--port", "0", "--single-port", f"--push-fd={push.fileno()}"],
                env=ServerProcess.environment(), pass_fds=[push.fileno()], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            asked, _ = silent.accept()  # the installer asks for the package, and nobody answers
        with asked:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            asked.settimeout(60)
            while asked.recv(65536):  # its request, then the end: the installer is gone too
                pass
    assert not (tmp_path / "data" / "env").exists() or not [
        path for path in (tmp_path / "data" / "env").iterdir() if path.name != "cache"
    ]

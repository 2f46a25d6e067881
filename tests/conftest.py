"""Fixtures for all tests: real servers that end with their test."""

from __future__ import annotations

import compileall
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.processes import ROOT, ServerProcess

if TYPE_CHECKING:
    from support.postgres import PostgresServer

StartServer = Callable[..., ServerProcess]
SLOW_FOLDERS = {"benchmarks", "dashboard", "e2e", "faults", "server"}
ON_BOTH_ENGINES = {
    "test_consistency",
    "test_exports",
    "test_history",
    "test_imports",
    "test_own_tokens",
    "test_pagination",
    "test_push",
    "test_replays",
    "test_slow_mutations",
}
"""Modules of tests of servers that are run on SQLite and on PostgreSQL."""
SLOW_FIXTURES = {"background", "module_server", "start_server"}

# What mypy has found out about Python's own modules is the same for every app that the tests check.
os.environ["MYPY_CACHE_DIR"] = str(ROOT / ".mypy_cache" / os.environ.get("PYTEST_XDIST_WORKER", "tests"))

# Compiled modules halve the time that each server, command and worker of the tests needs to start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
if "PYTEST_XDIST_WORKER" not in os.environ:
    for _folder in ("src/convexpy", "cli/convexpy_cli"):
        compileall.compile_dir(ROOT / _folder, quiet=1)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run twice as many tests as there are processors: half of the time they wait, for processes, disks and clocks."""
    return 2 * min(os.cpu_count() or 1, 8)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what starts servers; other slow tests say it themselves."""
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        if folder in SLOW_FOLDERS or not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let all tests of servers run on PostgreSQL, not only those that always do."""
    parser.addoption("--postgres", action="store_true", help="run servers on PostgreSQL instead of SQLite")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run some modules twice: on SQLite, and on PostgreSQL."""
    if "engine" in metafunc.fixturenames:
        twice = metafunc.module.__name__.rpartition(".")[2] in ON_BOTH_ENGINES
        engines = ["sqlite", "postgres"] if twice else ["sqlite"]
        if metafunc.definition.get_closest_marker("sqlite"):
            engines = ["sqlite"]
        elif metafunc.config.option.postgres:
            engines = ["postgres"]
        if engines != ["sqlite"]:
            metafunc.parametrize("engine", engines, indirect=True, scope="module")


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Return what makes an address of a database for a new server: an empty one for SQLite."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return str
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url


@pytest.fixture
def start_server(tmp_path: Path, engine: Callable[[], str]) -> Iterator[StartServer]:
    """Start servers on data folders of their own; they end with the test, whatever happened."""
    started: list[ServerProcess] = []

    def start(
        *arguments: str, env: Mapping[str, str] | None = None, interpreter: bool = False
    ) -> ServerProcess:
        data = tmp_path / f"data{len(started)}"
        server = ServerProcess(data, *arguments, env=env, interpreter=interpreter, database=engine())
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="module")
def module_server(
    tmp_path_factory: pytest.TempPathFactory, engine: Callable[[], str]
) -> Iterator[ServerProcess]:
    """One running server for the tests of a module; each pushes what it needs and leaves nothing that others see."""
    server = ServerProcess(tmp_path_factory.mktemp("shared") / "data", database=engine())
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests of a worker; each takes an address of its own."""
    from support.postgres import postgres_server

    with postgres_server() as running:
        yield running


@pytest.fixture
def server(start_server: StartServer) -> ServerProcess:
    """One running server with an empty app."""
    return start_server()

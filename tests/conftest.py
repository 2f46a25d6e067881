"""Fixtures for all tests: real servers that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from support.processes import ServerProcess

StartServer = Callable[..., ServerProcess]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start servers on data folders of their own; they end with the test, whatever happened."""
    started: list[ServerProcess] = []

    def start(*arguments: str, env: Mapping[str, str] | None = None) -> ServerProcess:
        server = ServerProcess(tmp_path / f"data{len(started)}", *arguments, env=env)
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture
def server(start_server: StartServer) -> ServerProcess:
    """One running server with an empty app."""
    return start_server()

"""Three nodes under clients of all kinds, while nodes and database are killed, frozen, restarted and cut off."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.ledgers import Ledgers
from support.nodes import nodes_of
from support.npm import installed_clients
from support.postgres import PostgresServer, postgres_server
from support.processes import ServerProcess, wait_for

FAULTS = int(os.environ.get("CONVEXPY_TEST_KILLS", "6"))
PROGRESS = 25
"""Mutations over HTTP between two faults."""


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    """A server of this test's own: it is killed."""
    with postgres_server() as server:
        yield server


class Faults:
    """What may happen to three nodes and their database."""

    def __init__(self, nodes: list[ServerProcess], database: PostgresServer, chance: random.Random) -> None:
        self._nodes = nodes
        self._database = database
        self._chance = chance

    def __iter__(self) -> Iterator[Callable[[], None]]:
        """Yield faults without end: each kind once, in any order, then again."""
        kinds = [
            self.kill_a_node,
            self.kill_the_node_that_serves,
            self.restart_the_database,
            self.kill_the_database,
            self.cut_connections,
            self.freeze_a_node,
            self.freeze_the_node_that_serves_until_another_does,
        ]
        while True:
            yield from self._chance.sample(kinds, len(kinds))

    def kill_a_node(self) -> None:
        self._kill(self._chance.choice(self._nodes))

    def kill_the_node_that_serves(self) -> None:
        self._kill(self._serving())

    def _kill(self, node: ServerProcess) -> None:
        node.kill()
        node.start()

    def restart_the_database(self) -> None:
        self._database.restart(self._chance.choice((signal.SIGINT, signal.SIGQUIT)))

    def kill_the_database(self) -> None:
        self._database.restart(signal.SIGKILL)

    def cut_connections(self) -> None:
        if self._chance.random() < 0.5:
            self._database.cut_connections()
            return
        self._database.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2"
        )

    def freeze_a_node(self) -> None:
        with frozen(self._chance.choice(self._nodes)):
            time.sleep(self._chance.uniform(0.1, 3.0))  # the fault itself: it stands still

    def freeze_the_node_that_serves_until_another_does(self) -> None:
        serving = self._serving()
        with frozen(serving):
            # So the lease is left at once, not when it expires.
            self._database.cut_connections()
            wait_for(lambda: self._serving() is not serving, what="another node to serve")
            time.sleep(self._chance.uniform(0.0, 1.0))  # it serves while the first one is frozen

    def _serving(self) -> ServerProcess:
        """Return the node that serves, once there is one."""
        return wait_for(self._holder, what="a node to hold the lease")

    def _holder(self) -> ServerProcess | None:
        schema = self._nodes[0].database.partition("?schema=")[2]
        found = self._database.query(f"SELECT node FROM {schema}._lease WHERE name = 'node'")
        ports = [int(place.rpartition(":")[2]) for (places,) in found for place in places.split()]
        return next((node for node in self._nodes if node.port in ports), None)


@contextlib.contextmanager
def frozen(node: ServerProcess) -> Iterator[None]:
    """Let a node and the processes of its app stand still."""
    pids = [node.process.pid]
    for pid in pids:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            pids += map(int, children.read_text().split())
    for pid in pids:
        _signal(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def test_faults_lose_nothing_and_show_nobody_an_anomaly(tmp_path: Path, database: PostgresServer) -> None:
    seed = int(os.environ.get("CONVEXPY_TEST_SEED") or random.SystemRandom().getrandbits(32))
    print(f"CONVEXPY_TEST_SEED={seed}")
    clients = installed_clients()
    with nodes_of(tmp_path, database) as start_node:
        nodes = [start_node(name) for name in ("a", "b", "c")]
        faults = iter(Faults(nodes, database, random.Random(seed)))
        ledgers = Ledgers(nodes, tmp_path, clients)
        try:
            ledgers.start()
            for number in range(FAULTS):
                wanted = ledgers.acknowledged + PROGRESS
                wait_for(
                    lambda wanted=wanted: ledgers.errors or ledgers.acknowledged >= wanted,
                    what=f"progress before fault {number}",
                    within_s=120,
                )
                if ledgers.errors:
                    break
                fault = next(faults)
                print(f"fault {number}: {fault.__name__}", flush=True)
                fault()
        finally:
            ledgers.stop()
            print(*(f"{node.data.name}:\n{node.errors()}" for node in nodes), sep="\n")
        ledgers.check()
        assert [node.process.poll() for node in nodes] == [None] * 3

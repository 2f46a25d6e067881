"""A database server that fails under load: nothing that was acknowledged is lost, and nobody has to be restarted by hand."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from support.bank import ACCOUNTS, BANK, Load, check
from support.postgres import PostgresServer
from support.processes import ServerProcess, wait_for

FAULTS = 16


def test_what_was_acknowledged_survives_all_faults_of_the_database(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    seed = int(os.environ.get("CONVEXPY_TEST_SEED") or random.SystemRandom().getrandbits(32))
    print(f"CONVEXPY_TEST_SEED={seed}")
    moments = random.Random(seed)
    server = ServerProcess(tmp_path / "data", database=postgres.url())
    load = Load(server, seed)

    def freeze() -> None:
        with postgres.frozen():
            time.sleep(0.5)  # the fault itself: the database stands still

    def kill_server() -> None:
        load.ready.clear()
        server.kill()
        server.start()
        load.ready.set()

    faults = [
        postgres.restart,
        lambda: postgres.restart(signal.SIGKILL),
        postgres.cut_connections,
        freeze,
        kill_server,
    ]
    try:
        server.push_ok({"bank.py": BANK})
        server.call("mutation", "bank:open_accounts", count=ACCOUNTS)
        load.start()
        try:
            for number in range(FAULTS):
                wanted = len(load.acknowledged) + moments.randint(1, 120)
                shown = load.transitions + moments.randint(0, 3)
                wait_for(
                    lambda wanted=wanted, shown=shown: (
                        load.errors or (len(load.acknowledged) >= wanted and load.transitions >= shown)
                    ),
                    what=f"progress before fault {number}",
                )
                if load.errors:
                    break
                faults[number % len(faults)]()
        finally:
            load.stop()
        check(server, load)
    finally:
        server.close()
        print(server.errors())

"""kill -9 at random moments under mixed load: what was acknowledged is there, once, and every result is from one point in time.

CONVEXPY_TEST_KILLS says how often.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time

from support.bank import ACCOUNTS, BANK, Load, check
from support.processes import ServerProcess, wait_for

KILLS = int(os.environ.get("CONVEXPY_TEST_KILLS", "20"))


def bare_interpreter_s() -> float:
    """Return how long an interpreter takes that does nothing: 0.011 s on a quiet machine."""
    took: list[float] = []
    for _ in range(5):
        started = time.monotonic()
        subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)
        took.append(time.monotonic() - started)
    return statistics.median(took)


def test_kill_9_under_load_loses_nothing_and_doubles_nothing(server: ServerProcess) -> None:
    seed = int(os.environ.get("CONVEXPY_TEST_SEED") or random.SystemRandom().getrandbits(32))
    print(f"CONVEXPY_TEST_SEED={seed}")
    moments = random.Random(seed)
    server.push_ok({"bank.py": BANK})
    server.call("mutation", "bank:open_accounts", count=ACCOUNTS)
    load = Load(server, seed)
    load.start()
    starts_s: list[float] = []
    try:
        for kill in range(KILLS):
            wanted = len(load.acknowledged) + moments.randint(1, 120)
            shown = load.transitions + moments.randint(0, 3)
            wait_for(
                lambda wanted=wanted, shown=shown: (
                    load.errors or (len(load.acknowledged) >= wanted and load.transitions >= shown)
                ),
                within_s=30,
                what=f"progress before kill {kill}",
            )
            load.ready.clear()
            server.kill()
            started = time.monotonic()
            server.start()
            starts_s.append(time.monotonic() - started)
            load.ready.set()
            if load.errors:
                break
    finally:
        load.stop()
    check(server, load)
    print(f"starts: {sorted(starts_s)}")
    # The load goes on while the server starts, and the machine may have other work: the quickest ones tell.
    # Two seconds on a machine with nothing else to do; on a busy one, in proportion to what a bare interpreter takes.
    bare_s = bare_interpreter_s()
    assert statistics.quantiles(starts_s, n=4)[0] < max(2.0, 150 * bare_s), (starts_s, bare_s)

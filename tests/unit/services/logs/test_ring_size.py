"""The log's memory is bounded in bytes, whatever the bytes are in."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from convexpy.engine.call_log import Completion
from convexpy.limits import LOG_ENTRIES_BYTES_MAX, LOG_ENTRIES_MAX
from convexpy.protocol.frames import LogLine
from convexpy.services.logs import FunctionLog


def completion(n: int, **fields: Any) -> Completion:
    known: dict[str, Any] = {"lines": [], "error": None, "caller": "HttpApi", "identity": "unknown", **fields}
    return Completion("query", f"fn:f{n % 7}", f"request {n}", 0.1, **known)


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [
        lambda n: {"error": f"{n}" + "x" * 400_000},
        lambda n: {"error": f"{n}\N{SNOWMAN}" + "x" * 400_000},  # two bytes a character
        lambda n: {"lines": [LogLine("INFO", f"{n}" + "\N{GRINNING FACE}" * 5000, 0.0, False)] * 20},
        lambda n: {"identity": f"{n}" + "x" * 400_000},
        lambda n: {"success": {"value": f"{n}" + "x" * 400_000}},
        lambda n: {"lines": [LogLine("INFO", "", 0.0, False) for _ in range(256)]},
        lambda n: {},
    ],
    ids=["error", "wide error", "lines", "identity", "success", "empty lines", "nothing"],
)
def test_the_ring_takes_no_more_memory_than_its_bound(
    where: Callable[[int], dict[str, Any]],
) -> None:
    log = FunctionLog()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for n in range(2 * LOG_ENTRIES_MAX):
        log.completion(completion(n, **where(n)))
        if n % 50 == 0 and log.dropped > 20:
            break
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert log.dropped
    assert taken < 1.3 * LOG_ENTRIES_BYTES_MAX
    assert len(log.after(0)) >= 30

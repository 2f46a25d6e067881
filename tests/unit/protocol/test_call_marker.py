"""The marker: what a server reads while an executor writes is one call with its own clocks, or nothing."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

import pytest

from convexpy.protocol.call_marker import CallMarker, Running, create

WRITER = """
import sys
from convexpy.protocol.call_marker import CallMarker
marker = CallMarker(int(sys.argv[1]))
call = 0
while True:
    for _ in range(1000):
        call += 1
        marker.begin(call)
        marker.end()
"""
READS = 300_000


def test_it_says_what_runs_and_since_when() -> None:
    descriptor = create()
    writer, reader = CallMarker(descriptor), CallMarker(descriptor)
    os.close(descriptor)
    assert reader.read() is None
    before = time.monotonic_ns()
    writer.begin(7)
    running = reader.read()
    assert running is not None
    assert running.call == 7
    assert before <= running.monotonic_ns <= time.monotonic_ns()
    assert 0 < running.cpu_ns <= time.process_time_ns()
    writer.end()
    assert reader.read() is None
    for marker in (writer, reader):
        marker.close()


@pytest.mark.slow
def test_no_reader_sees_a_call_with_clocks_that_are_not_its_own() -> None:
    descriptor = create()
    reader = CallMarker(descriptor)
    began = time.monotonic_ns()
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(descriptor)], pass_fds=[descriptor])
    try:
        seen: list[Running] = []
        deadline = time.monotonic() + 20
        while len(seen) < 1000 or time.monotonic() < began / 1e9 + 1.5:
            assert time.monotonic() < deadline
            assert process.poll() is None
            for _ in range(READS // 100):
                running = reader.read()
                if running is not None:
                    seen.append(running)
        assert all(began <= running.monotonic_ns for running in seen)
        assert all(running.cpu_ns > 0 for running in seen)
        calls = [running.call for running in seen]
        assert calls == sorted(calls)
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            os.close(descriptor)
        reader.close()

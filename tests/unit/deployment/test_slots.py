"""When a call that others wait for is ended before its limit."""

from __future__ import annotations

import pytest

from convexpy.deployment.slots import _held_up


@pytest.mark.parametrize(
    ("cpu_s", "wall_s", "named"),
    [
        (1.9, 1.95, ""),  # a machine that is not busy: the limit itself decides
        (0.9, 4.5, ""),  # starved of the processor, and has had little of it
        (1.1, 2.1, "function_cpu_s"),
        (0.01, 3.9, ""),  # a stalled disk
        (0.01, 4.1, "function_wall_s"),  # sleeps
    ],
)
def test_half_of_the_cpu_time_must_do_while_others_wait(cpu_s: float, wall_s: float, named: str) -> None:
    assert _held_up(cpu_s, wall_s, 2.0).partition(":")[0] == named

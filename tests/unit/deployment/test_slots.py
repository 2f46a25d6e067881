"""When a call that others wait for is ended before its limit."""

from __future__ import annotations

import pytest

from convexpy.deployment.slots import _holds_up_others


@pytest.mark.parametrize(
    ("cpu_s", "wall_s", "ended"),
    [
        (1.9, 1.95, False),  # a machine that is not busy: the limit itself decides
        (0.9, 4.5, False),  # starved of the processor, and has had little of it
        (1.1, 2.1, True),
        (0.01, 3.9, False),  # a stalled disk
        (0.01, 4.1, True),  # sleeps
    ],
)
def test_half_of_the_cpu_time_must_do_while_others_wait(cpu_s: float, wall_s: float, ended: bool) -> None:
    assert _holds_up_others(cpu_s, wall_s, 2.0) is ended

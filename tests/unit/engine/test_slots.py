"""Which limit ends a call, from the clocks that the watch of an executor reads."""

from __future__ import annotations

import pytest

from convexpy.engine.slots import Spent, exceeded_limit
from convexpy.limits import Knobs

KNOBS = Knobs(function_cpu_s=2.0, function_wall_factor=5.0)


@pytest.mark.parametrize(
    ("spent", "named"),
    [
        (Spent(cpu_s=1.9, own_s=1.95, ready=True), ""),
        (Spent(cpu_s=2.1, own_s=2.1, ready=True), "function_cpu_s"),
        (Spent(cpu_s=1.9, own_s=2.0, ready=False), ""),  # others had the processors for the rest of a minute
        (Spent(cpu_s=2.1, own_s=2.2, ready=True), "function_cpu_s"),
        (Spent(cpu_s=0.0, own_s=9.9, ready=False), ""),
        (Spent(cpu_s=0.0, own_s=10.1, ready=False), "function_wall_s"),  # sleeps
        (Spent(cpu_s=1.5, own_s=10.1, ready=False), "function_wall_s"),  # computes and sleeps
        (Spent(cpu_s=1.5, own_s=10.1, ready=True), ""),  # this wait is not in own_s yet
    ],
)
def test_one_that_computes_is_ended_by_cpu_time_and_one_that_sleeps_by_wall_time(
    spent: Spent, named: str
) -> None:
    assert exceeded_limit(spent, KNOBS, others_wait=False).partition(":")[0] == named


@pytest.mark.parametrize(
    ("spent", "named"),
    [
        (Spent(cpu_s=1.9, own_s=1.95, ready=True), ""),
        (Spent(cpu_s=1.9, own_s=2.0, ready=True), ""),  # has had little of the processor
        (Spent(cpu_s=2.1, own_s=2.2, ready=True), "function_cpu_s"),
        (Spent(cpu_s=0.01, own_s=3.9, ready=False), ""),  # a slow disk
        (Spent(cpu_s=0.01, own_s=4.1, ready=False), "function_wall_s"),  # sleeps
        (Spent(cpu_s=0.01, own_s=0.1, ready=True), ""),
    ],
)
def test_one_that_sleeps_gets_less_while_others_wait_and_one_that_computes_does_not(
    spent: Spent, named: str
) -> None:
    assert exceeded_limit(spent, KNOBS, others_wait=True).partition(":")[0] == named

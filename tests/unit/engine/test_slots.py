"""Which limit ends a call, from the clocks that the watch of an executor reads."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support.scripted_executor import ScriptedExecutor

from convexpy.engine.slots import Spent, TransactionSlot, exceeded_limit
from convexpy.executors.processor_wait import ProcessorWait
from convexpy.limits import Knobs
from convexpy.protocol.call_marker import Running
from convexpy.protocol.frames import Call

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


class Waiting(ScriptedExecutor):
    """An executor that waits for a processor, or for something else."""

    ready = False
    waited_ns = 0

    def processor_wait(self) -> ProcessorWait:
        return ProcessorWait(self.waited_ns, self.ready)


def _slot(executor: Waiting) -> TransactionSlot:
    def nothing(*_: Any) -> None: ...

    slot = TransactionSlot(executor, KNOBS, on_result=nothing, on_lost=nothing, on_paused=nothing)
    slot.sent[7] = Call(7, "mutation", "app:f", b"{}", "r", 0)
    return slot


def test_one_that_computes_runs_long_by_cpu_time_alone() -> None:
    executor = Waiting()
    slot = _slot(executor)
    executor.ready, executor.now_running = True, Running(7, 0, 1000)
    assert slot.runs_long(0.02) is None
    executor.used_ns = 20_002_000
    assert slot.runs_long(0.02) is slot.sent[7]
    executor.now_running = Running(8, 0, 0)  # no call of ours
    assert slot.runs_long(0.02) is None


def test_one_that_sleeps_runs_long_but_not_one_that_waits_for_a_processor() -> None:
    executor = Waiting()
    slot = _slot(executor)
    executor.now_running = Running(7, 0, 0)
    executor.ready = True
    until_ns = time.monotonic_ns() + 3_000_000
    while time.monotonic_ns() < until_ns:
        assert slot.runs_long(0.002) is None
    executor.ready, executor.waited_ns = False, 10**12
    assert slot.runs_long(0.002) is None
    executor.waited_ns = 0
    assert slot.runs_long(0.002) is slot.sent[7]


def test_one_that_has_just_begun_does_not_run_long() -> None:
    executor = Waiting()
    slot = _slot(executor)
    executor.now_running, executor.used_ns = Running(7, time.monotonic_ns(), 0), 10**9
    assert slot.runs_long(60.0) is None

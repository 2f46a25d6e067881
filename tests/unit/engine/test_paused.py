"""Mutations that stand in a debugger: who waits for them, and what runs when they end."""

from __future__ import annotations

import msgspec
import pytest

from convexpy.engine.paused import PAUSED_MAX, PausedMutations, passing_breakpoints
from convexpy.protocol.frames import Call, CallFailure, Result, ended_action


def call(number: int, session: str = "", job: str = "") -> Call:
    return Call(number, "mutation", f"app:m{number}", b"{}", f"r{number}", 0, session=session, job=job)


def result(failure: CallFailure | None = None) -> Result:
    return ended_action(1, b"null", failure)


QUIT = CallFailure("DebuggerQuit", "the debugger was quit")


def test_only_the_same_client_waits_and_in_order() -> None:
    paused = PausedMutations()
    first = call(1, "ann")
    assert not paused.holds(call(2, "ann"))
    paused.add(first)
    assert not paused.holds(call(3, "bob"))
    assert not paused.holds(call(4))
    later = [call(number, "ann") for number in (5, 6, 7)]
    assert all(paused.holds(each) for each in later)
    paused.forget(6)
    again, failure = paused.ended(first, result())
    assert failure is None
    assert [(each.id, each.breakpoints) for each in again] == [(1, "off"), (5, "on"), (7, "on")]
    assert not paused.holds(call(8, "ann"))


def test_a_failure_before_the_second_run_does_not_count() -> None:
    paused = PausedMutations()
    paused.add(call(1))
    again, failure = paused.ended(call(1), result(CallFailure("ValueError", "stale")))
    assert ([each.breakpoints for each in again], failure) == (["off"], None)


@pytest.mark.parametrize(("job", "runs", "fails"), [("", [], True), ("j1", ["quit"], False)])
def test_quitting_is_final_but_a_job_writes_its_end(job: str, runs: list[str], fails: bool) -> None:
    paused = PausedMutations()
    one = call(1, job=job)
    paused.add(one)
    again, failure = paused.ended(one, result(QUIT))
    assert [each.breakpoints for each in again] == runs
    assert (failure is QUIT) == fails


def test_it_is_full_at_the_bound_and_gives_everything_up_at_the_end() -> None:
    paused = PausedMutations()
    for number in range(PAUSED_MAX):
        assert not paused.is_full
        paused.add(call(number, f"s{number}"))
    assert paused.is_full
    assert paused.holds(call(99, "s0"))
    assert sorted(each.id for each in paused.drain()) == [*range(PAUSED_MAX), 99]
    assert not paused.is_full
    assert passing_breakpoints(call(1)).breakpoints == "full"
    off = msgspec.structs.replace(call(1), breakpoints="off")
    assert passing_breakpoints(off) is off

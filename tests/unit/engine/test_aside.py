"""Mutations that are aside: who waits for them, and what runs when they end."""

from __future__ import annotations

import msgspec
import pytest

from convexpy.engine.aside import PAUSED_MAX, CallsAside, passing_breakpoints, run_again
from convexpy.protocol.frames import Call, CallFailure


def call(number: int, session: str = "", job: str = "") -> Call:
    return Call(number, "mutation", f"app:m{number}", b"{}", f"r{number}", 0, session=session, job=job)


QUIT = CallFailure("DebuggerQuit", "the debugger was quit")


def test_only_the_same_client_waits_and_in_order() -> None:
    aside = CallsAside()
    first = call(1, "ann")
    assert not aside.holds(call(2, "ann"))
    added = aside.add(first)
    assert not aside.holds(call(3, "bob"))
    assert not aside.holds(call(4))
    others = [call(8, "bob"), call(9)]
    assert added.hold_later([call(5, "ann"), others[0], call(6, "ann"), others[1]]) == others
    assert aside.holds(call(7, "ann"))
    aside.forget(6)
    assert aside.answered(3) == []
    assert [each.id for each in aside.answered(1)] == [5, 7]
    assert not aside.holds(call(10, "ann"))
    assert not aside


@pytest.mark.parametrize(
    ("failure", "job", "breakpoints"),
    [
        (None, "", "off"),
        (CallFailure("ValueError", "stale"), "", "off"),
        (QUIT, "", None),
        (QUIT, "j1", "quit"),
    ],
)
def test_quitting_is_final_but_a_job_writes_its_end(
    failure: CallFailure | None, job: str, breakpoints: str | None
) -> None:
    again = run_again(call(1, job=job), failure)
    assert (again and again.breakpoints) == breakpoints


def test_it_is_full_at_the_bound_and_gives_everything_up_at_the_end() -> None:
    aside = CallsAside()
    for number in range(PAUSED_MAX):
        assert not aside.too_many_paused
        aside.add(call(number, f"s{number}")).paused = True
    aside.add(call(50, "slow"))
    assert aside.too_many_paused
    assert aside.holds(call(99, "s0"))
    assert sorted(each.id for each in aside.drain()) == [*range(PAUSED_MAX), 50, 99]
    assert not aside.too_many_paused
    assert passing_breakpoints(call(1)).breakpoints == "full"
    off = msgspec.structs.replace(call(1), breakpoints="off")
    assert passing_breakpoints(off) is off

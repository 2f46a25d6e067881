"""The step function of the watch loop: rounds, late answers, retries, and the way out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from convexpy_cli.dev import states
from convexpy_cli.dev.states import (
    Blocked,
    Ended,
    FilesBroken,
    FilesChanged,
    Finishing,
    JobDone,
    Live,
    Options,
    PushDone,
    PushFailed,
    Pushing,
    Retry,
    RetryDue,
    ServerReady,
    ShowBlocked,
    ShowLive,
    Snapshot,
    StartCompanion,
    Starting,
    StartJob,
    StartPush,
    Stop,
    Stopping,
    step,
)

FIRST = Snapshot("first", "start")
SECOND = Snapshot("second", "a.py", ("a.py",))
THIRD = Snapshot("third", "b.py", ("b.py",))
WATCH = Options()


def error(message: str = "bad", exit_code: int = 7) -> dict[str, Any]:
    return {"code": "ModuleLoadFailed", "message": message, "exitCode": exit_code}


def run(*events: states.Event, options: Options = WATCH) -> tuple[states.State, list[states.Effect]]:
    state: states.State = Starting()
    effects: list[states.Effect] = []
    for event in events:
        state, more = step(state, event, options)
        effects += more
    return state, effects


def of_kind(effects: list[states.Effect], *kinds: type[Any]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kinds)]


def test_a_first_push_goes_live() -> None:
    state, effects = run(ServerReady(FIRST), PushDone(1, "r"))
    assert state == Live(1)
    assert effects == [StartPush(1, FIRST), ShowLive(1, "r", FIRST), StartJob("codegen", 1)]


def test_changes_during_a_push_are_pushed_right_after_it_as_one() -> None:
    state, effects = run(ServerReady(FIRST), FilesChanged(SECOND), FilesChanged(THIRD), PushDone(1, "r"))
    assert isinstance(state, Pushing)
    assert state.round == 2
    assert of_kind(effects, StartPush)[-1].snapshot == Snapshot("third", "b.py", ("a.py", "b.py"))


def test_an_error_that_may_be_repaired_already_is_not_shown() -> None:
    state, effects = run(ServerReady(FIRST), FilesChanged(SECOND), PushFailed(1, error(), "files"))
    assert isinstance(state, Pushing)
    assert not of_kind(effects, ShowBlocked)


def test_late_answers_are_dropped() -> None:
    before, _ = run(ServerReady(FIRST), PushFailed(1, error(), "files"), FilesChanged(SECOND))
    for late in (PushDone(1, "old"), PushFailed(1, error("old"), "files"), RetryDue(1)):
        assert step(before, late, WATCH) == (before, [])


def test_a_broken_file_blocks_and_a_change_heals_it() -> None:
    state, effects = run(ServerReady(FIRST), PushDone(1, "r"), FilesBroken(error("twins")))
    assert isinstance(state, Blocked)
    assert state.was_live
    assert of_kind(effects, ShowBlocked)[0].error["message"] == "twins"
    state, effects = step(state, FilesChanged(SECOND), WATCH)
    assert of_kind(effects, StartPush)[0].snapshot == SECOND


def test_an_unreachable_server_is_tried_again_with_growing_pauses_and_told_once() -> None:
    state, _ = run(ServerReady(FIRST))
    delays, shown = list[float](), 0
    for _ in range(8):
        assert isinstance(state, Pushing)
        state, effects = step(state, PushFailed(state.round, error("down"), "backoff"), WATCH)
        shown += len(of_kind(effects, ShowBlocked))
        retry = of_kind(effects, Retry)[0]
        delays.append(retry.delay_s)
        state, _ = step(state, RetryDue(retry.round), WATCH)
    assert delays == [0.5, 1, 2, 4, 8, 16, 16, 16]
    assert shown == 1


def test_documents_that_do_not_fit_are_looked_at_again() -> None:
    state, effects = run(ServerReady(FIRST), PushFailed(1, error("3 documents"), "data"))
    assert isinstance(state, Blocked)
    assert of_kind(effects, Retry)
    _, effects = step(state, RetryDue(1), WATCH)
    assert of_kind(effects, StartPush)[0].snapshot == FIRST


def test_a_wrong_key_ends_the_loop() -> None:
    state, effects = run(ServerReady(FIRST), PushFailed(1, error("key", 5), "never"))
    assert state == Stopping(5)
    assert effects[-1] == Stop(5)


def test_once_ends_with_the_status_of_the_error() -> None:
    assert run(ServerReady(FIRST), PushFailed(1, error(), "files"), options=Options(once=True))[
        0
    ] == Stopping(7)
    assert run(FilesBroken(error()), options=Options(once=True))[0] == Stopping(7)


def test_once_waits_for_its_jobs_and_gives_their_status() -> None:
    options = Options(once=True, run=True)
    state, _ = run(ServerReady(FIRST), PushDone(1, "r"), options=options)
    assert state == Finishing(1, frozenset({"codegen", "run"}))
    state, effects = step(state, JobDone("run", 1, 1), options)
    assert effects == []
    state, effects = step(state, JobDone("codegen", 1), options)
    assert (state, effects) == (Stopping(1), [Stop(1)])


def test_until_success_stays_through_errors() -> None:
    options = Options(until_success=True, codegen=False)
    state, _ = run(ServerReady(FIRST), PushFailed(1, error(), "files"), options=options)
    assert isinstance(state, Blocked)
    state, _ = step(state, FilesChanged(SECOND), options)
    assert step(state, PushDone(2, "r"), options)[0] == Stopping(0)


def test_the_function_of_run_is_called_after_the_first_good_push_only() -> None:
    options = Options(run=True, companion=True)
    _, effects = run(
        ServerReady(FIRST), PushDone(1, "r"), FilesChanged(SECOND), PushDone(2, "r"), options=options
    )
    assert [each.round for each in of_kind(effects, StartJob) if each.job == "run"] == [1]
    assert of_kind(effects, StartCompanion)


def test_without_push_nothing_is_pushed() -> None:
    state, effects = run(ServerReady(FIRST), FilesChanged(SECOND), options=Options(no_push=True))
    assert not of_kind(effects, StartPush)
    assert state == Live(0)


EVENTS = st.one_of(
    st.builds(FilesChanged, st.sampled_from([SECOND, THIRD])),
    st.builds(FilesBroken, st.builds(error)),
    st.builds(PushDone, st.integers(1, 6), st.just("r")),
    st.builds(PushFailed, st.integers(1, 6), st.builds(error), st.sampled_from(["files", "data", "backoff"])),
    st.builds(RetryDue, st.integers(0, 6)),
    st.builds(JobDone, st.sampled_from(["codegen", "run"]), st.integers(1, 6)),
)


@given(st.lists(EVENTS, max_size=30))
def test_any_history_ends_with_the_last_files_live(events: list[states.Event]) -> None:
    """Whatever came before, a last change that is pushed well is what serves, and every push has a new number."""
    state, effects = run(ServerReady(FIRST), *events)
    state, more = step(state, FilesChanged(Snapshot("last", "z.py")), WATCH)
    effects += more
    for _ in range(2):
        if isinstance(state, Pushing):
            state, more = step(state, PushDone(state.round, "r"), WATCH)
            effects += more
    assert isinstance(state, Live)
    assert of_kind(effects, StartPush)[-1].snapshot.files == "last"
    rounds = [each.round for each in of_kind(effects, StartPush)]
    assert rounds == sorted(set(rounds))


@pytest.mark.parametrize("history", [(), (ServerReady(FIRST),), (ServerReady(FIRST), PushDone(1, "r"))])
def test_an_end_ends_every_state_and_nothing_comes_after(history: tuple[states.Event, ...]) -> None:
    state, _ = run(*history)
    state, effects = step(state, Ended(130), WATCH)
    assert (state, effects) == (Stopping(130), [Stop(130)])
    assert step(state, FilesChanged(SECOND), WATCH) == (state, [])

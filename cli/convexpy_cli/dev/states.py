"""The states of the watch loop and its step function: an event in, the next state and what to do out. Pure.

    Starting ──server ready──▶ Pushing ──went live──▶ Live ──files changed──▶ Pushing
                                 │  ▲                    └─ with --once ──▶ Finishing ──▶ Stopping
                        refused  ▼  │ files changed, or the time to try again
                               Blocked

Every push has a number, the round. An answer to an older round is dropped, so an error that was repaired meanwhile never
stays on the screen. Changes that come while a push is under way are pushed right after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

RetryOn = Literal["files", "data", "env", "backoff", "never"]

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 16.0
# Stored documents and variables are repaired elsewhere; nothing tells us, so we look again.
LOOK_AGAIN_S = 2.0


@dataclass(frozen=True)
class Options:
    """What the command line asks of the loop."""

    once: bool = False
    until_success: bool = False
    no_push: bool = False
    codegen: bool = True
    typecheck: bool = False
    run: bool = False
    companion: bool = False

    @property
    def ends(self) -> bool:
        """Whether the loop ends after a push that went live."""
        return self.once or self.until_success


@dataclass(frozen=True)
class Snapshot:
    """The files at one point in time, and what triggered the scan. `files` is opaque here."""

    files: Any
    cause: str
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Starting:
    """The server does not answer yet."""


@dataclass(frozen=True)
class Pushing:
    """Round `round` is under way. `waiting` came meanwhile; `attempt` counts tries in a row that failed alike."""

    round: int
    snapshot: Snapshot
    waiting: Snapshot | None = None
    attempt: int = 0
    was_live: bool = False
    last_error: str | None = None


@dataclass(frozen=True)
class Live:
    """What is on disk serves."""

    round: int


@dataclass(frozen=True)
class Blocked:
    """The last push was refused; `was_live` says whether an older version serves."""

    round: int
    snapshot: Snapshot | None
    retry_on: RetryOn
    attempt: int
    was_live: bool
    last_error: str


@dataclass(frozen=True)
class Finishing:
    """A push went live and the loop ends when these jobs have."""

    round: int
    jobs: frozenset[str]
    exit_code: int = 0


@dataclass(frozen=True)
class Stopping:
    """Nothing more is begun."""

    exit_code: int


State = Starting | Pushing | Live | Blocked | Finishing | Stopping


# Events


@dataclass(frozen=True)
class ServerReady:
    """The deployment answers."""

    snapshot: Snapshot


@dataclass(frozen=True)
class FilesChanged:
    """What is on disk differs from what was last looked at."""

    snapshot: Snapshot


@dataclass(frozen=True)
class FilesBroken:
    """What is on disk cannot be pushed at all."""

    error: dict[str, Any]


@dataclass(frozen=True)
class PushDone:
    """A round went live."""

    round: int
    result: Any


@dataclass(frozen=True)
class PushFailed:
    """A round was refused, or did not arrive."""

    round: int
    error: dict[str, Any]
    retry_on: RetryOn


@dataclass(frozen=True)
class RetryDue:
    """The pause after a failed round is over."""

    round: int


@dataclass(frozen=True)
class JobDone:
    """`codegen`, `typecheck` or `run` has ended."""

    job: str
    round: int
    exit_code: int = 0


@dataclass(frozen=True)
class Ended:
    """The loop has to end: Ctrl-C, the companion exited, the server died."""

    exit_code: int
    error: dict[str, Any] | None = None


Event = ServerReady | FilesChanged | FilesBroken | PushDone | PushFailed | RetryDue | JobDone | Ended


# Effects


@dataclass(frozen=True)
class StartPush:
    """Push this snapshot as this round."""

    round: int
    snapshot: Snapshot


@dataclass(frozen=True)
class ShowLive:
    """Say that a round went live."""

    round: int
    result: Any
    snapshot: Snapshot


@dataclass(frozen=True)
class ShowBlocked:
    """Say why a round did not, and what is waited for."""

    round: int
    error: dict[str, Any]
    retry_on: RetryOn
    was_live: bool
    delay_s: float | None = None


@dataclass(frozen=True)
class ShowError:
    """Show an error that ends the loop."""

    error: dict[str, Any]


@dataclass(frozen=True)
class Retry:
    """Send `RetryDue` after a pause."""

    round: int
    delay_s: float


@dataclass(frozen=True)
class StartJob:
    """Start `codegen`, `typecheck` or `run`."""

    job: str
    round: int


@dataclass(frozen=True)
class StartCompanion:
    """Start the companion command, unless it runs."""


@dataclass(frozen=True)
class Stop:
    """Stop everything and leave with this status."""

    exit_code: int


Effect = StartPush | ShowLive | ShowBlocked | ShowError | Retry | StartJob | StartCompanion | Stop


def step(state: State, event: Event, options: Options) -> tuple[State, list[Effect]]:
    """Return the next state and what to do, for an event in a state."""
    if isinstance(state, Stopping):
        return state, []
    if isinstance(event, Ended):
        shown: list[Effect] = [ShowError(event.error)] if event.error else []
        return _stop(event.exit_code, shown)
    if isinstance(state, Starting):
        return _starting(state, event, options)
    if isinstance(state, Pushing):
        return _pushing(state, event, options)
    if isinstance(state, Finishing):
        return _finishing(state, event)
    return _resting(state, event)


def retry_on_of(word: str) -> RetryOn:
    """Return what a server's word means; one that is not known is like `files`, so that nothing loops."""
    known: dict[str, RetryOn] = {"data": "data", "env": "env", "backoff": "backoff", "never": "never"}
    return known.get(word, "files")


def _stop(exit_code: int, first: list[Effect]) -> tuple[State, list[Effect]]:
    return Stopping(exit_code), [*first, Stop(exit_code)]


def _starting(state: Starting, event: Event, options: Options) -> tuple[State, list[Effect]]:
    if isinstance(event, FilesBroken):
        return _refused(0, None, event.error, "files", _Before(), options)
    if not isinstance(event, ServerReady):
        return state, []
    if options.no_push:
        return Live(0), [StartCompanion()] if options.companion else []
    return Pushing(1, event.snapshot), [StartPush(1, event.snapshot)]


def _pushing(state: Pushing, event: Event, options: Options) -> tuple[State, list[Effect]]:
    if isinstance(event, FilesChanged):
        return replace(state, waiting=_joined(state.waiting, event.snapshot)), []
    if isinstance(event, PushDone) and event.round == state.round:
        return _went_live(state, event, options)
    if isinstance(event, PushFailed) and event.round == state.round:
        if state.waiting is not None:
            # The files have changed since: this error may be repaired already.
            return _next_push(state.round, state.waiting, was_live=state.was_live)
        before = _Before(state.attempt, state.was_live, state.last_error)
        return _refused(state.round, state.snapshot, event.error, event.retry_on, before, options)
    if isinstance(event, FilesBroken):
        before = _Before(state.attempt, state.was_live, state.last_error)
        return _refused(state.round + 1, None, event.error, "files", before, options)
    return state, []


def _went_live(state: Pushing, event: PushDone, options: Options) -> tuple[State, list[Effect]]:
    effects: list[Effect] = [ShowLive(state.round, event.result, state.snapshot)]
    if state.waiting is not None and not options.once:
        following, more = _next_push(state.round, state.waiting, was_live=True)
        return following, effects + more
    jobs = _jobs(state, options)
    effects += [StartJob(job, state.round) for job in jobs]
    if options.ends:
        if not jobs:
            return _stop(0, effects)
        return Finishing(state.round, frozenset(jobs)), effects
    if options.companion:
        effects.append(StartCompanion())
    return Live(state.round), effects


def _jobs(state: Pushing, options: Options) -> list[str]:
    jobs = ["codegen"] if options.codegen else []
    jobs += ["typecheck"] if options.typecheck else []
    # A function that seeds or migrates is meant to run once, not at every save.
    return jobs + (["run"] if options.run and not state.was_live else [])


@dataclass(frozen=True)
class _Before:
    attempt: int = 0
    was_live: bool = False
    last_error: str | None = None


def _refused(
    round: int,
    snapshot: Snapshot | None,
    error: dict[str, Any],
    retry_on: RetryOn,
    before: _Before,
    options: Options,
) -> tuple[State, list[Effect]]:
    if options.once or retry_on == "never":
        return _stop(int(error.get("exitCode") or 1), [ShowError(error)])
    text = f"{error['code']}: {error['message']}"
    again = text == before.last_error
    attempt = before.attempt + 1 if again else 0
    delay = _delay(retry_on, attempt)
    effects: list[Effect] = []
    if not again:
        effects.append(ShowBlocked(round, error, retry_on, before.was_live, delay))
    if delay is not None:
        effects.append(Retry(round, delay))
    return Blocked(round, snapshot, retry_on, attempt, before.was_live, text), effects


def _delay(retry_on: RetryOn, attempt: int) -> float | None:
    if retry_on == "backoff":
        return min(BACKOFF_FIRST_S * 2.0**attempt, BACKOFF_MAX_S)
    return LOOK_AGAIN_S if retry_on in ("data", "env") else None


def _resting(state: Live | Blocked, event: Event) -> tuple[State, list[Effect]]:
    was_live = isinstance(state, Live) or state.was_live
    if isinstance(event, FilesChanged):
        if isinstance(state, Live) and state.round == 0:
            return state, []
        return _next_push(state.round, event.snapshot, was_live=was_live)
    if isinstance(event, FilesBroken):
        before = _Before(0, was_live, state.last_error if isinstance(state, Blocked) else None)
        return _refused(state.round + 1, None, event.error, "files", before, Options())
    if (
        isinstance(state, Blocked)
        and isinstance(event, RetryDue)
        and event.round == state.round
        and state.snapshot
    ):
        following = Pushing(
            state.round + 1,
            state.snapshot,
            attempt=state.attempt,
            was_live=state.was_live,
            last_error=state.last_error,
        )
        return following, [StartPush(following.round, state.snapshot)]
    return state, []


def _next_push(round: int, snapshot: Snapshot, *, was_live: bool) -> tuple[State, list[Effect]]:
    return Pushing(round + 1, snapshot, was_live=was_live), [StartPush(round + 1, snapshot)]


def _finishing(state: Finishing, event: Event) -> tuple[State, list[Effect]]:
    if not isinstance(event, JobDone) or event.round != state.round:
        return state, []
    jobs = state.jobs - {event.job}
    exit_code = state.exit_code or event.exit_code
    if jobs:
        return Finishing(state.round, jobs, exit_code), []
    return _stop(exit_code, [])


def _joined(first: Snapshot | None, second: Snapshot) -> Snapshot:
    if first is None:
        return second
    return replace(second, changed=tuple(dict.fromkeys([*first.changed, *second.changed])))

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


@dataclass(frozen=True, kw_only=True)
class History:
    """What came before: `attempt` counts tries in a row that failed alike, `was_live` says whether an older version serves."""

    attempt: int = 0
    was_live: bool = False
    last_error: str | None = None


@dataclass(frozen=True)
class Pushing(History):
    """Round `round` is under way; `waiting` came meanwhile."""

    round: int
    snapshot: Snapshot
    waiting: Snapshot | None = None


@dataclass(frozen=True)
class Live:
    """What is on disk serves."""

    round: int


@dataclass(frozen=True)
class Blocked(History):
    """The last push was refused."""

    round: int
    snapshot: Snapshot | None


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


def retry_on_of(word: str) -> RetryOn:
    """Return what a server's word means; one that is not known is like `files`, so that nothing loops."""
    known: dict[str, RetryOn] = {"data": "data", "env": "env", "backoff": "backoff", "never": "never"}
    return known.get(word, "files")


Step = tuple[State, list[Effect]]


def step(state: State, event: Event, options: Options) -> Step:
    """Return the next state and what to do, for an event in a state."""
    match state, event:
        case Stopping(), _:
            return state, []
        case _, Ended(exit_code, error):
            return _stop(exit_code, [ShowError(error)] if error else [])
        case Finishing(), JobDone() if event.round == state.round:
            jobs, exit_code = state.jobs - {event.job}, state.exit_code or event.exit_code
            return (Finishing(state.round, jobs, exit_code), []) if jobs else _stop(exit_code, [])
        case Finishing(), _:
            return state, []
        case Starting(), ServerReady(snapshot):
            return _push(0, snapshot) if not options.no_push else (Live(0), _companion(options))
        case _, FilesBroken(error):
            return _refused(state, None, error, "files", options)
        case Pushing(), _:
            return _pushing(state, event, options)
        case Live(round) | Blocked(round), FilesChanged(snapshot) if round or isinstance(state, Blocked):
            return _push(round, snapshot, was_live=_history(state).was_live)
        case Blocked(round, Snapshot() as snapshot), RetryDue(due) if due == round:
            following = Pushing(round + 1, snapshot, **vars(_history(state)))
            return following, [StartPush(following.round, snapshot)]
        case _:
            return state, []


def _pushing(state: Pushing, event: Event, options: Options) -> Step:
    match event:
        case FilesChanged(snapshot):
            return replace(state, waiting=_joined(state.waiting, snapshot)), []
        case PushDone(round=state.round):
            return _went_live(state, event, options)
        case PushFailed(round=state.round) if state.waiting is not None:
            # The files have changed since: this error may be repaired already.
            return _push(state.round, state.waiting, was_live=state.was_live)
        case PushFailed(round=state.round):
            return _refused(state, state.snapshot, event.error, event.retry_on, options)
        case _:
            return state, []


def _push(before: int, snapshot: Snapshot, *, was_live: bool = False) -> Step:
    return Pushing(before + 1, snapshot, was_live=was_live), [StartPush(before + 1, snapshot)]


def _stop(exit_code: int, first: list[Effect]) -> Step:
    return Stopping(exit_code), [*first, Stop(exit_code)]


def _companion(options: Options) -> list[Effect]:
    return [StartCompanion()] if options.companion else []


def _history(state: State) -> History:
    if isinstance(state, History):
        return History(attempt=state.attempt, was_live=state.was_live, last_error=state.last_error)
    return History(was_live=isinstance(state, Live))


def _went_live(state: Pushing, event: PushDone, options: Options) -> Step:
    effects: list[Effect] = [ShowLive(state.round, event.result, state.snapshot)]
    if state.waiting is not None and not options.once:
        following, more = _push(state.round, state.waiting, was_live=True)
        return following, effects + more
    jobs = ["codegen"] if options.codegen else []
    jobs += ["typecheck"] if options.typecheck else []
    # A function that seeds or migrates is meant to run once, not at every save.
    jobs += ["run"] if options.run and not state.was_live else []
    effects += [StartJob(job, state.round) for job in jobs]
    if not options.ends:
        return Live(state.round), effects + _companion(options)
    return (Finishing(state.round, frozenset(jobs)), effects) if jobs else _stop(0, effects)


def _refused(
    state: State, snapshot: Snapshot | None, error: dict[str, Any], retry_on: RetryOn, options: Options
) -> Step:
    """Block until there is a reason to try again; without a snapshot it is the files on disk that are refused."""
    if options.once or retry_on == "never":
        return _stop(int(error.get("exitCode") or 1), [ShowError(error)])
    before, round = _history(state), getattr(state, "round", 0)
    if snapshot is None and not isinstance(state, Starting):
        round += 1
    text = f"{error['code']}: {error['message']}"
    again = text == before.last_error
    attempt = before.attempt + 1 if again else 0
    delay = _delay(retry_on, attempt)
    effects: list[Effect] = []
    if not again:
        effects.append(ShowBlocked(round, error, retry_on, before.was_live, delay))
    if delay is not None:
        effects.append(Retry(round, delay))
    return Blocked(round, snapshot, attempt=attempt, was_live=before.was_live, last_error=text), effects


def _delay(retry_on: RetryOn, attempt: int) -> float | None:
    if retry_on == "backoff":
        return min(BACKOFF_FIRST_S * 2.0**attempt, BACKOFF_MAX_S)
    return LOOK_AGAIN_S if retry_on in ("data", "env") else None


def _joined(first: Snapshot | None, second: Snapshot) -> Snapshot:
    if first is None:
        return second
    return replace(second, changed=tuple(dict.fromkeys([*first.changed, *second.changed])))

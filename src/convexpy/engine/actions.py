"""The action dispatcher: sends actions to action executors and answers what they ask.

An action is run at most once: when its executor dies, it ends with an error. One that has not begun, because another action
keeps the loop of its executor from turning, is revoked and sent to another executor; so is one whose executor has died.
An executor whose loop has stalled gets no more actions. The one that blocks it is ended at the limit `action_loop_block_s`:
interrupted first, which ends it alone, and killed with its process if that does not help.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from convexpy.engine.aside import PAUSED_MAX, passing_breakpoints
from convexpy.engine.outcome import Outcome, failed
from convexpy.executors.connection import ExecutorConnection
from convexpy.limits import (
    ACTION_BEGIN_S,
    ACTION_END_S,
    CALL_ATTEMPTS_MAX,
    LOOP_BEAT_S,
    LOOP_STALLED_S,
    Knobs,
)
from convexpy.protocol.frames import (
    REVOKED,
    Answer,
    Call,
    CallFailure,
    CancelCall,
    ClientGone,
    Damaged,
    FromExecutor,
    LogLine,
    Paused,
    Progress,
    Ready,
    Request,
    Result,
)

OnActionDone = Callable[[Outcome], None]
OnProgress = Callable[[Call, list[LogLine]], None]
Serve = Callable[[Call, Request], Awaitable[tuple[bytes, CallFailure | None]]]
LOOK_EVERY_S = LOOP_BEAT_S
REVOKED_AFTER_S = 0.3
"""When a call has been revoked, the message that it had begun may still be under way for so long."""
logger: logging.Logger = logging.getLogger("convexpy.actions")


@dataclass(slots=True)
class _Action:
    call: Call
    done: OnActionDone
    timeout_s: float
    begun: bool = False
    attempts: int = 0
    logs: list[LogLine] = field(default_factory=list)
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    cancelled: bool = False
    ends_at: float = 0.0
    left_s: float | None = None

    def stop_timers(self) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()

    def stand_still(self, now: float) -> None:
        """Stop the clock of an action that a debugger holds; the end of one that was cancelled is not put off."""
        if not self.cancelled and self.left_s is None:
            self.stop_timers()
            self.left_s = max(0.0, self.ends_at - now)


class _Slot:
    """One action executor."""

    def __init__(self, connection: ExecutorConnection) -> None:
        self.connection = connection
        self.actions: dict[int, _Action] = {}
        self.retiring = False
        self.paused: dict[int, bool] = {}
        self.looks: asyncio.TimerHandle | None = None
        self.beat = 0
        self.beatless_looks = 0

    @property
    def stands_still(self) -> bool:
        """Whether an action that stands in a debugger keeps the loop."""
        return any(self.paused.values())


class ActionDispatcher:
    """Runs actions, many per executor."""

    def __init__(
        self, knobs: Knobs, serve: Serve, *, need_executor: Callable[[], None], on_progress: OnProgress
    ) -> None:
        self._knobs = knobs
        self._serve = serve
        self._need_executor = need_executor
        self._on_progress = on_progress
        self._slots: list[_Slot] = []
        self._with_retired: weakref.WeakSet[_Slot] = weakref.WeakSet()
        self._waiting: list[_Action] = []
        self.executors_lost: int = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, call: Call, done: OnActionDone, timeout_s: float | None = None) -> None:
        """Run an action; `done` gets its outcome."""
        self._send(_Action(call, done, timeout_s or self._knobs.action_timeout_s))

    def _send(self, action: _Action) -> None:
        slot = next((slot for slot in self._slots if not slot.stands_still), None)
        if slot is None:
            self._waiting.append(action)
            self._need_executor()
            return
        loop = asyncio.get_running_loop()
        action.begun = False
        action.attempts += 1
        slot.actions[action.call.id] = action
        action.ends_at = loop.time() + action.timeout_s
        action.timers = [
            loop.call_later(ACTION_BEGIN_S, self._check_begun, slot, action),
            loop.call_later(action.timeout_s, self._timeout, slot, action),
        ]
        if slot.looks is None:
            slot.beatless_looks = 0
            slot.looks = loop.call_later(LOOK_EVERY_S, self._look, slot)
        standing = sum(len(each.paused) for each in self._slots)
        slot.connection.send(action.call if standing < PAUSED_MAX else passing_breakpoints(action.call))

    def client_gone(self, call: int) -> None:
        """Tell the executor of an HTTP action that its client has gone away."""
        for slot in self._with_retired:
            if call in slot.actions:
                slot.connection.send(ClientGone(call))

    # Executors that stall

    def _check_begun(self, slot: _Slot, action: _Action) -> None:
        if not action.begun and slot.actions.get(action.call.id) is action:
            self._move_what_waits(slot)

    def _move_what_waits(self, slot: _Slot) -> None:
        """Give this executor no more actions, and revoke what has not begun there."""
        self._retire(slot)
        waiting = [action for action in slot.actions.values() if not action.begun]
        if waiting:
            slot.connection.revoke(max(action.call.id for action in waiting))
            asyncio.get_running_loop().call_later(REVOKED_AFTER_S, self._move, slot, waiting)

    def _move(self, slot: _Slot, waiting: list[_Action]) -> None:
        for action in waiting:
            if not action.begun and slot.actions.get(action.call.id) is action:
                del slot.actions[action.call.id]
                self._send_again(action, "no executor had begun it")
        self._close_if_done(slot)

    def _send_again(self, action: _Action, reason: str) -> None:
        action.stop_timers()
        if action.attempts < CALL_ATTEMPTS_MAX:
            self._send(action)
            return
        path = action.call.path
        text = f"{path} could not run: {CALL_ATTEMPTS_MAX} executors did not begin it ({reason})"
        action.done(failed("ExecutorLost", text, function=path, lost=True))

    def _look(self, slot: _Slot) -> None:
        """See whether the loop has turned. Looks are counted, not seconds: this process may have stood still."""
        slot.looks = None
        if not slot.actions:
            return
        connection, beat = slot.connection, slot.connection.last_beat()
        turns = beat != slot.beat or slot.stands_still
        slot.beatless_looks = 0 if turns else slot.beatless_looks + 1
        slot.beat = beat
        if not turns:
            self._act_on_stall(slot)
        if connection.pid or turns:
            slot.looks = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look, slot)

    def _act_on_stall(self, slot: _Slot) -> None:
        connection, limit = slot.connection, self._knobs.action_loop_block_s
        stalled, last = round(LOOP_STALLED_S / LOOK_EVERY_S), round(limit / LOOK_EVERY_S)
        look = slot.beatless_looks
        if look in (min(stalled, last) - 1, last - 1, last + 1):
            connection.ask_where()
        elif look == min(stalled, last):
            logger.warning(
                "the event loop of action executor %d has not turned for %g s%s: new actions go to another process",
                connection.pid, look * LOOK_EVERY_S, _at(connection),
            )  # fmt: skip
            self._move_what_waits(slot)
        if look == last:
            logger.warning("interrupting what blocks action executor %d%s", connection.pid, _at(connection))
            connection.interrupt()
        elif look >= last + round(ACTION_END_S / LOOK_EVERY_S):
            reason = (
                f"an action exceeded the limit action_loop_block_s: the event loop of its executor did not turn for "
                f"{limit:g} s{_at(connection)}"
            )
            logger.warning("killing action executor %d: %s", connection.pid, reason)
            connection.kill(reason)

    def _timeout(self, slot: _Slot, action: _Action) -> None:
        # The first sentence is the official backend's: clients and suites look for it.
        reason = (
            f"Function execution timed out (maximum duration: {action.timeout_s:g}s): "
            f"{action.call.path} exceeded the limit action_timeout_s: {action.timeout_s:g} s"
        )
        action.cancelled = True
        slot.connection.send(CancelCall(action.call.id, reason, "action_timeout_s"))
        loop = asyncio.get_running_loop()
        action.timers.append(loop.call_later(ACTION_END_S, slot.connection.kill, reason, action.call.id))

    # Executors

    @property
    def pids(self) -> list[int]:
        """The processes that run actions."""
        return [slot.connection.pid for slot in self._slots]

    def attach(self, connection: ExecutorConnection) -> None:
        """Add an executor that has said `Ready`."""
        slot = _Slot(connection)
        connection.on_frame = lambda frame: self._frame(slot, frame)
        connection.on_lost = lambda reason, call: self._lost(slot, reason)
        self._slots.append(slot)
        self._with_retired.add(slot)
        waiting, self._waiting = self._waiting, []
        for action in waiting:
            self._send(action)

    def retire_all(self) -> None:
        """Send nothing more to the present executors; each is closed when its actions have ended."""
        slots, self._slots = self._slots, []
        for slot in slots:
            slot.retiring = True
            self._close_if_done(slot)

    def _retire(self, slot: _Slot) -> None:
        """Send nothing more to an executor; it ends with its last action."""
        slot.retiring = True
        if slot in self._slots:
            self._slots.remove(slot)

    @property
    def lacks_executor(self) -> bool:
        """Whether actions wait for an executor."""
        return bool(self._waiting)

    def _close_if_done(self, slot: _Slot) -> None:
        if slot.retiring and not slot.actions:
            slot.connection.close()

    def _frame(self, slot: _Slot, frame: FromExecutor) -> None:
        match frame:
            case Progress():
                action = slot.actions.get(frame.call)
                if action is not None:
                    action.begun = True
                    action.logs += frame.logs
                    if frame.logs:
                        self._on_progress(action.call, frame.logs)
            case Request():
                self._request(slot, frame)
            case Result():
                self._result(slot, frame)
            case Paused():
                self._paused(slot, frame)
            case Damaged():
                logger.warning("replacing action executor %d: %s", slot.connection.pid, frame.reason)
                self._retire(slot)
                self._close_if_done(slot)
            case Ready():
                pass

    def _paused(self, slot: _Slot, frame: Paused) -> None:
        """An action stands in a debugger or goes on: the clocks of all that stand still with it stop meanwhile."""
        loop = asyncio.get_running_loop()
        if frame.paused:
            slot.paused[frame.call] = frame.blocking
        else:
            slot.paused.pop(frame.call, None)
        blocked = slot.stands_still
        slot.beatless_looks = 0
        for action in slot.actions.values():
            if blocked or action.call.id in slot.paused:
                if action.begun:  # one that has not is revoked soon, and sent to another executor
                    action.stand_still(loop.time())
            elif action.left_s is not None:
                action.ends_at, left_s, action.left_s = loop.time() + action.left_s, action.left_s, None
                action.timers = [loop.call_later(left_s, self._timeout, slot, action)]

    def _request(self, slot: _Slot, frame: Request) -> None:
        action = slot.actions.get(frame.call)
        if action is None:
            return

        async def answer() -> None:
            value, failure = await self._serve(action.call, frame)
            slot.connection.send(Answer(frame.call, frame.request, value, failure))

        task = asyncio.get_running_loop().create_task(answer())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _result(self, slot: _Slot, result: Result) -> None:
        action = slot.actions.pop(result.call, None)
        if action is None:
            return
        action.stop_timers()
        if result.failure is not None and result.failure.code == REVOKED and not action.cancelled:
            self._send_again(action, "it was revoked")
        else:
            action.done(
                Outcome(result.value, result.failure, action.logs, result=result, seconds=result.seconds)
            )
        self._close_if_done(slot)

    def _lost(self, slot: _Slot, reason: str) -> None:
        self.executors_lost += 1
        if slot.looks is not None:
            slot.looks.cancel()
        if slot in self._slots:
            self._slots.remove(slot)
            self._need_executor()
        actions = list(slot.actions.values())
        slot.actions.clear()
        for action in actions:
            action.stop_timers()
            if not action.begun and not action.cancelled:
                self._send_again(action, reason)
                continue
            path = action.call.path
            lost = f"executor lost while running {path}: {reason}; actions are not run again"
            text = reason if path in reason else lost
            outcome = failed("ExecutorLost", text, function=path, lost=True)
            outcome.logs = action.logs
            action.done(outcome)

    async def close(self) -> None:
        """Stop answering requests."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _at(connection: ExecutorConnection) -> str:
    where = connection.stands_at()
    return f", at {where}" if where else ""

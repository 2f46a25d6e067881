"""The action dispatcher: sends actions to action executors and answers what they ask.

An action is run at most once: when its executor dies, it ends with an error. A call that has not begun because another
action keeps its executor's loop busy is revoked and sent to a fresh executor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from convexpy.deployment.outcome import Outcome, failed
from convexpy.deployment.paused import PAUSED_MAX, passing_breakpoints
from convexpy.execution.actions import REVOKED
from convexpy.execution.connection import ExecutorConnection
from convexpy.limits import Knobs
from convexpy.protocol.frames import (
    Answer,
    Call,
    CallFailure,
    CancelCall,
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
BEGIN_WITHIN_S = 1.0
KILL_AFTER_CANCEL_S = 2.0


@dataclass(slots=True)
class _Action:
    call: Call
    done: OnActionDone
    timeout_s: float
    begun: bool = False
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
        self.stalled = False
        self.retiring = False
        self.paused: dict[int, bool] = {}


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
        self._waiting: list[_Action] = []
        self.executors_lost = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, call: Call, done: OnActionDone, timeout_s: float | None = None) -> None:
        """Run an action; `done` gets its outcome."""
        self._send(_Action(call, done, timeout_s or self._knobs.action_timeout_s))

    def _send(self, action: _Action) -> None:
        slot = next((slot for slot in self._slots if not slot.stalled), None)
        if slot is None:
            self._waiting.append(action)
            self._need_executor()
            return
        loop = asyncio.get_running_loop()
        slot.actions[action.call.id] = action
        action.ends_at = loop.time() + action.timeout_s
        action.timers = [
            loop.call_later(BEGIN_WITHIN_S, self._check_begun, slot, action),
            loop.call_later(action.timeout_s, self._timeout, slot, action),
        ]
        standing = sum(len(each.paused) for each in self._slots)
        slot.connection.send(action.call if standing < PAUSED_MAX else passing_breakpoints(action.call))

    def _check_begun(self, slot: _Slot, action: _Action) -> None:
        if not action.begun and action.call.id in slot.actions:
            slot.stalled = True
            slot.connection.send(CancelCall(action.call.id, "another action keeps this executor busy"))

    def _timeout(self, slot: _Slot, action: _Action) -> None:
        limit = f"{action.timeout_s:g} s"
        reason = f"{action.call.path} exceeded the limit action_timeout_s: {limit}"
        action.cancelled = True
        slot.connection.send(CancelCall(action.call.id, reason, "action_timeout_s"))
        loop = asyncio.get_running_loop()
        action.timers.append(
            loop.call_later(KILL_AFTER_CANCEL_S, slot.connection.kill, reason, action.call.id)
        )

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
        waiting, self._waiting = self._waiting, []
        for action in waiting:
            self._send(action)

    def retire_all(self) -> None:
        """Send nothing more to the present executors; each is closed when its actions have ended."""
        slots, self._slots = self._slots, []
        for slot in slots:
            slot.retiring = True
            self._close_if_done(slot)

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
            case Ready():
                pass

    def _paused(self, slot: _Slot, frame: Paused) -> None:
        """An action stands in a debugger or goes on: the clocks of all that stand still with it stop meanwhile."""
        loop = asyncio.get_running_loop()
        if frame.paused:
            slot.paused[frame.call] = frame.blocking
        else:
            slot.paused.pop(frame.call, None)
        slot.stalled = blocked = any(slot.paused.values())
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
            self._send(action)
        else:
            if slot.stalled:
                slot.stalled = False
            action.done(
                Outcome(result.value, result.failure, action.logs, result=result, seconds=result.seconds)
            )
        self._close_if_done(slot)

    def _lost(self, slot: _Slot, reason: str) -> None:
        self.executors_lost += 1
        if slot in self._slots:
            self._slots.remove(slot)
            self._need_executor()
        actions = list(slot.actions.values())
        slot.actions.clear()
        for action in actions:
            action.stop_timers()
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

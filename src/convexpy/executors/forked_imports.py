"""Having a fork server fork a process that imports an app, and waiting for how that ends."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import TypeVar

from convexpy.errors import Unavailable
from convexpy.executors.connection import describe_exit, kill_group
from convexpy.executors.fork_control import ForkControl
from convexpy.executors.import_failures import ImportLimits, ended_while_importing, took_too_long
from convexpy.protocol import call_marker, stack_dumps
from convexpy.protocol.fork_messages import Failed, Loaded, Prepared, StartTrunk, StartVersion

IMPORT_GRACE_S = 3.0
"""After its limit an import is ended by itself, with the line it stood on; what cannot be ended so is killed after this."""
ASKED_S = 0.2

Done = TypeVar("Done", Loaded, Prepared)


async def fork_import(
    parent: ForkControl,
    command: StartTrunk | StartVersion,
    expect: Callable[[ForkControl], asyncio.Future[Done | Failed]],
) -> tuple[ForkControl, Done]:
    """Fork a process that imports; return its control socket, and what it has reported.

    Raises:
        ProjectError: the app does not import within its limits, or defines something that makes no sense.
        Unavailable: no process could be started.
    """
    ours, theirs = socket.socketpair()
    control = ForkControl(ours)
    stacks = call_marker.create()
    pid = 0
    try:
        answer = expect(control)
        pid = await parent.fork(command, [theirs.fileno(), stacks])
        theirs.close()
        report = await _reported(parent, control, pid, answer, ImportLimits(command.settings, stacks))
        if isinstance(report, Failed):
            raise report.error.as_error()
    except BaseException:
        kill_group(pid)
        await control.close()
        raise
    finally:
        theirs.close()
        os.close(stacks)
    return control, report


async def _reported(
    parent: ForkControl,
    control: ForkControl,
    pid: int,
    answer: asyncio.Future[Done | Failed],
    limits: ImportLimits,
) -> Done | Failed:
    try:
        async with asyncio.timeout(limits.seconds + IMPORT_GRACE_S):
            return await answer
    except TimeoutError:
        stack_dumps.ask(limits.stacks, pid)
        await asyncio.sleep(ASKED_S)
        raise took_too_long(limits, control.importing) from None
    except Unavailable:
        status = await parent.status_of(pid)
        if parent.ended:
            raise
        raise ended_while_importing(limits, control.importing, describe_exit(status)) from None

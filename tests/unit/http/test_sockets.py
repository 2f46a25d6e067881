"""Messages that a server hands over when they arrive do not pass those that wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from convexpy.access import Caller
from convexpy.http.socket import ON_MESSAGE, Sockets
from convexpy.limits import Knobs
from convexpy.sync import ActionShares, Hub

CONNECT = {"type": "Connect", "sessionId": "00000000-0000-0000-0000-000000000000", "connectionCount": 0}
SIGN_IN = {"type": "Authenticate", "baseVersion": 0, "tokenType": "User", "value": "x"}


class Functions:
    """Notes which mutations are run, and does not end the check of a token."""

    def __init__(self) -> None:
        self.ran: list[int] = []
        self.checked: Callable[[Any], None] = lambda caller: None

    def authenticate(self, message: Any, done: Callable[[Any], None]) -> None:
        self.checked = done

    def canonical_path(self, path: str) -> str:
        return path

    def run_mutation(
        self, path: str, args: bytes, caller: Caller, session: str, request: int, done: Any
    ) -> None:
        self.ran.append(request)


class Timeline:
    row = ts = 1


class Connection:
    """A socket that is served: a message is taken at once, or waits."""

    def __init__(self, functions: Functions) -> None:
        runner: Any = functions
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._take: Callable[[str], bool] = lambda text: False
        sockets = Sockets(
            hub=Hub(Timeline(), runner), functions=runner, knobs=Knobs(), shares=ActionShares(0)
        )
        scope = {"extensions": {ON_MESSAGE: self._on_message}}
        self._queue.put_nowait({"type": "websocket.connect"})
        self._serving = asyncio.create_task(sockets.serve(None, scope, self._queue.get, self._send))

    def _on_message(self, take: Callable[[str], bool]) -> None:
        self._take = take

    async def _send(self, event: dict[str, Any]) -> None:
        pass

    def arrives(self, message: dict[str, Any]) -> bool:
        """Return whether the message was taken; else it waits."""
        text = json.dumps(message)
        taken = self._take(text)
        if not taken:
            self._queue.put_nowait({"type": "websocket.receive", "text": text})
        return taken

    async def leave(self) -> None:
        self._queue.put_nowait({"type": "websocket.disconnect"})
        await self._serving


def mutation(request: int) -> dict[str, Any]:
    return {"type": "Mutation", "requestId": request, "udfPath": "a:b", "args": [{}]}


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_arrives_while_a_message_waits_waits_behind_it() -> None:
    async def exchange() -> None:
        functions = Functions()
        connection = Connection(functions)
        await turns()
        assert connection.arrives(CONNECT)
        assert connection.arrives(mutation(0))
        assert connection.arrives(SIGN_IN)
        assert not connection.arrives(mutation(1))
        await turns()  # by now the task has it, and waits for the token
        functions.checked(Caller(b"{}"))
        assert not connection.arrives(mutation(2))
        await turns()
        assert connection.arrives(mutation(3))
        assert functions.ran == [0, 1, 2, 3]
        await connection.leave()

    asyncio.run(exchange())

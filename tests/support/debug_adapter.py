"""An editor's side of the Debug Adapter Protocol: one session for the first process, one for each of its children."""

from __future__ import annotations

import itertools
import json
import queue
import socket
import threading
import time
from pathlib import Path
from typing import Any

WAIT_S = 60.0


class Session:
    """One connection to the adapter."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self._connection.settimeout(None)
        self._stream = self._connection.makefile("rb")
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self.events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def begin(self, breakpoints: dict[Path, list[int]], **attach: Any) -> None:
        """Attach, set breakpoints and let the process go."""
        self.ask("initialize", adapterID="test", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        number = self.send("attach", justMyCode=True, **attach)
        self.event("initialized")
        for file, lines in breakpoints.items():
            places = [{"line": line} for line in lines]
            self.ask("setBreakpoints", source={"path": str(file)}, breakpoints=places)
        self.ask("configurationDone")
        self.answer(number)

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request; return its number."""
        number = next(self._numbers)
        self._answers[number] = queue.SimpleQueue()
        body = json.dumps(
            {"seq": number, "type": "request", "command": command, "arguments": arguments}
        ).encode()
        self._connection.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return number

    def answer(self, number: int) -> dict[str, Any]:
        """Return the body of an answer, which must be no refusal."""
        message = self._answers[number].get(timeout=WAIT_S)
        assert message["success"], message
        body: dict[str, Any] = message.get("body") or {}
        return body

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        return self.answer(self.send(command, **arguments))

    def event(self, name: str) -> dict[str, Any]:
        """Return the body of the next event of this name."""
        until = time.monotonic() + WAIT_S
        while True:
            message = self.events.get(timeout=max(0.01, until - time.monotonic()))
            if message["event"] == name:
                body: dict[str, Any] = message.get("body") or {}
                return body

    def close(self) -> None:
        """Hang up."""
        self._connection.shutdown(socket.SHUT_RDWR)
        self._reader.join(WAIT_S)
        self._stream.close()
        self._connection.close()

    def _read(self) -> None:
        while True:
            try:
                head = self._stream.readline()
                if not head:
                    return
                size = int(head.split(b":")[1])
                self._stream.readline()
                message = json.loads(self._stream.read(size))
            except (OSError, ValueError):
                return
            if message["type"] == "response":
                self._answers[message["request_seq"]].put(message)
            elif message["type"] == "event":
                self.events.put(message)


class Editor:
    """Attaches to a port, and to every child process that it is told of."""

    def __init__(self, port: int, breakpoints: dict[Path, list[int]]) -> None:
        self._port = port
        self._breakpoints = breakpoints
        self.stopped: queue.SimpleQueue[tuple[Session, dict[str, Any]]] = queue.SimpleQueue()
        self.children: list[Session] = []
        self.ready: list[Session] = []
        self.root = Session(port)
        self.root.begin({})
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while True:
            message = self.root.events.get()
            if message["event"] == "debugpyAttach":
                child = Session(self._port)
                self.children.append(child)
                threading.Thread(
                    target=self._follow_child, args=(child, message["body"]), daemon=True
                ).start()

    def _follow_child(self, child: Session, told: dict[str, Any]) -> None:
        child.begin(self._breakpoints, subProcessId=told["subProcessId"])
        self.ready.append(child)
        while True:
            message = child.events.get()
            if message["event"] == "stopped":
                self.stopped.put((child, message["body"]))

    def wait_until_stopped(self) -> tuple[Session, int, dict[str, Any]]:
        """Return the session, the thread and the top frame of the next process that stops."""
        session, body = self.stopped.get(timeout=WAIT_S)
        thread = body["threadId"]
        return session, thread, session.ask("stackTrace", threadId=thread)["stackFrames"][0]

    def close(self) -> None:
        """Hang up everywhere."""
        for session in [*self.children, self.root]:
            session.close()

"""A TCP proxy between a client and a server, for tests: answers can be held back, connections cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from types import TracebackType

_CHUNK = 65536


class Proxy:
    """Passes bytes on, from a port of its own to the port `target` of this machine, which may change at any time.

    A connection is refused, as far as its client can tell, while nothing listens on `target`.
    """

    def __init__(self) -> None:
        self.target = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._answers = threading.Event()
        self._answers.set()
        self._sockets: set[socket.socket] = set()
        self._threads = [self._thread(self._accept)]

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._answers.set()
        self._threads[0].join()
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    @contextlib.contextmanager
    def holding_answers(self) -> Iterator[None]:
        """Keep what the server sends for as long as the block lasts; it arrives afterwards, in order."""
        self._answers.clear()
        try:
            yield
        finally:
            self._answers.set()

    def cut(self) -> None:
        """End every connection that is open."""
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self._sockets |= {client, server}
            self._threads.append(self._thread(self._serve, client, server))

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            asking = self._thread(_pump, client, server, None)
            _pump(server, client, self._answers)
            asking.join()
        self._sockets -= {client, server}

    @staticmethod
    def _thread(work: object, *arguments: object) -> threading.Thread:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments)
        thread.start()
        return thread


def _pump(source: socket.socket, sink: socket.socket, gate: threading.Event | None) -> None:
    """Pass bytes on until one side ends; then both do."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            if gate is not None:
                gate.wait()
            sink.sendall(data)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)

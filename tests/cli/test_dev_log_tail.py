"""The log beside the watch loop: nothing is shown once it was told to stop."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

from convexpy_cli.dev.tail import LogTail


class SlowClient:
    """Its second request is answered only when the tail stops."""

    def __init__(self) -> None:
        self.waits, self.aborted = threading.Event(), threading.Event()

    def logs(self, cursor: float) -> Any:
        if cursor:
            self.waits.set()
            assert self.aborted.wait(20)
        return SimpleNamespace(cursor=cursor + 1, entries=[{"kind": "late"}])

    def abort(self) -> None:
        self.aborted.set()

    def close(self) -> None:
        pass


def test_what_comes_after_the_end_is_not_shown() -> None:
    client, shown = SlowClient(), []
    output = SimpleNamespace(event=lambda name, **values: shown.append(name), log_line=lambda *line: None)
    tail = LogTail(cast("Any", client), cast("Any", output), "always")
    tail.start()
    assert client.waits.wait(20)
    tail.stop()
    assert not tail._thread.is_alive()
    assert shown == []

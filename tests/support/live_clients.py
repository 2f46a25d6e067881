"""The official PyPI client and the official browser client, each subscribed to `notes:list`."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.static_pages import static_pages

WATCH = """
import json, sys
from convex import ConvexClient

client = ConvexClient(sys.argv[1])
for value in client.subscribe("notes:list"):
    print(json.dumps(value), flush=True)
"""


PAGE = """<!doctype html><meta charset="utf-8"><script>
window.opened = 0;
const Original = WebSocket;
window.WebSocket = class extends Original { constructor(...given) { super(...given); window.opened += 1; } };
</script><script src="/browser.bundle.js"></script><script>
const client = new convex.ConvexClient(new URLSearchParams(location.search).get("server"));
client.onUpdate(convex.anyApi.notes.list, {}, (value) => { document.body.dataset.value = JSON.stringify(value); });
</script><body></body>"""


@contextlib.contextmanager
def watching(url: str) -> Iterator[Callable[[Any], None]]:
    """Subscribe in a process of its own; the result waits until the subscription shows a value."""
    process = subprocess.Popen(
        [sys.executable, "-c", WATCH, url], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    values: queue.Queue[Any] = queue.Queue()
    output = process.stdout
    assert output is not None
    reader = threading.Thread(target=lambda: [values.put(json.loads(line)) for line in output])
    reader.start()

    def until(wanted: Any) -> None:
        while (seen := values.get(timeout=200)) != wanted:
            assert process.poll() is None, seen

    try:
        yield until
    finally:
        process.kill()
        process.wait()
        reader.join()
        output.close()


@contextlib.contextmanager
def opened(browser: Any, node_clients: Path, folder: Path, server_url: str) -> Iterator[Any]:
    """A page with the official browser client, which shows what it is subscribed to."""
    folder.mkdir()
    bundle = node_clients / "node_modules" / "convex" / "dist" / "browser.bundle.js"
    (folder / "browser.bundle.js").write_bytes(bundle.read_bytes())
    (folder / "index.html").write_text(PAGE)
    with static_pages(folder) as url:
        page = browser.new_page()
        page.goto(f"{url}/index.html?server={server_url}")
        yield page
        page.close()


def shows(page: Any, value: list[str]) -> int:
    """Wait until the page shows this; return how many sockets it has opened."""
    wanted = json.dumps(json.dumps(value, separators=(",", ":")))
    page.wait_for_function(f"document.body.dataset.value === {wanted}", timeout=60_000)
    count: int = page.evaluate("window.opened")
    return count

"""The official browser bundle in headless Chromium: two pages that see each other's changes, before and after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.static_pages import static_pages

WAIT_MS = 40_000

MESSAGES = """
from convexpy import mutation, query

@query
def list(ctx):
    return [document["body"] for document in ctx.db.query("messages")]

@mutation
def send(ctx, body: str):
    ctx.db.insert("messages", {"body": body})
"""

PAGE = """<!doctype html><meta charset="utf-8"><ul id="list"></ul><script src="/browser.bundle.js"></script><script>
const client = new convex.ConvexClient(new URLSearchParams(location.search).get("server"));
const list = convex.anyApi.messages.list;
client.onUpdate(list, {}, (bodies) => {
  document.querySelector("#list").replaceChildren(...bodies.map((body) => {
    const item = document.createElement("li");
    item.textContent = body;
    return item;
  }));
  document.body.dataset.count = bodies.length;
});
window.send = (body) => client.mutation(convex.anyApi.messages.send, { body });
</script>"""


@pytest.fixture
def pages_url(node_clients: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a page with the client's browser bundle."""
    bundle = node_clients / "node_modules" / "convex" / "dist" / "browser.bundle.js"
    (tmp_path / "browser.bundle.js").write_bytes(bundle.read_bytes())
    (tmp_path / "index.html").write_text(PAGE)
    with static_pages(tmp_path) as url:
        yield f"{url}/index.html"


def _until_count(page: Any, count: int) -> list[str]:
    page.wait_for_function(f"document.body.dataset.count === '{count}'", timeout=WAIT_MS)
    texts: list[str] = page.locator("#list li").all_text_contents()
    return texts


def test_two_pages_see_each_others_changes_before_and_after_a_restart(
    server: ServerProcess, pages_url: str, browser: Any
) -> None:
    server.push_ok({"messages.py": MESSAGES})
    complaints: list[str] = []
    pages = [browser.new_page() for _ in range(2)]
    for page in pages:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{pages_url}?server={server.url}")
        assert _until_count(page, 0) == []
    pages[0].evaluate("send('from the first page')")
    for page in pages:
        assert _until_count(page, 1) == ["from the first page"]
    server.kill()
    waiting = [page.evaluate_handle("({ done: send('while the server is away') })") for page in pages[:1]]
    server.start()
    for page in pages:
        assert _until_count(page, 2) == ["from the first page", "while the server is away"]
    waiting[0].evaluate("(sent) => sent.done")
    pages[1].evaluate("send('from the second page')")
    for page in pages:
        assert _until_count(page, 3)[-1] == "from the second page"
    assert complaints == []


def test_a_call_that_is_too_large_fails_alone(server: ServerProcess, pages_url: str, browser: Any) -> None:
    server.push_ok({"messages.py": MESSAGES})
    page = browser.new_page()
    sockets: list[Any] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    page.goto(f"{pages_url}?server={server.url}")
    _until_count(page, 0)
    error = page.evaluate("send('x'.repeat(21 * 2 ** 20)).then(() => 'sent', (error) => error.message)")
    assert "socket_message_bytes" in error
    page.evaluate("send('after')")
    assert _until_count(page, 1) == ["after"]
    assert len(sockets) == 1

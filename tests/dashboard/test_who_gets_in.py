"""Who may talk to the dashboard: the browser that has its address, and no page of anybody else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.dashboard import DashboardProcess
from support.processes import ServerProcess
from support.static_pages import static_pages

Open = Callable[..., DashboardProcess]

ATTACK = """async ([address, path]) => {
  const outcomes = {};
  const attempt = async (name, work) => { try { outcomes[name] = await work(); } catch { outcomes[name] = "refused"; } };
  await attempt("fetch", async () => (await fetch(address + "/data", { credentials: "include" })).status);
  await attempt("opaque", async () => (await fetch(address + "/data", { mode: "no-cors", credentials: "include" })).type);
  await attempt("post", async () => (await fetch(address + path, { method: "POST", mode: "no-cors", credentials: "include", body: "" })).type);
  await attempt("socket", () => new Promise((done, failed) => {
    const socket = new WebSocket(address.replace("http", "ws") + "/_nicegui_ws/socket.io/?EIO=4&transport=websocket");
    socket.onopen = () => done("open");
    socket.onerror = failed;
  }));
  await attempt("frame", () => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.onload = () => { try { done(frame.contentDocument ? "read" : "refused"); } catch { done("refused"); } };
    frame.src = address + "/data";
    document.body.append(frame);
  }));
  return outcomes;
}"""


def test_nobody_gets_in_without_the_printed_address(app: ServerProcess, start: Open, browser: Any) -> None:
    dashboard = start(app)
    stranger = browser.new_context().new_page()
    assert stranger.goto(f"{dashboard.address}/data").status == 403
    assert "convexpy dashboard" in stranger.inner_text("body")
    assert stranger.goto(f"{dashboard.address}/?token=wrong").status == 403
    page = dashboard.open(browser)
    assert "token" not in page.url
    assert "token" not in page.evaluate("document.referrer")
    cookies = page.context.cookies()
    assert [(each["httpOnly"], each["sameSite"]) for each in cookies] == [(True, "Strict")]
    assert page.evaluate("document.cookie") == ""
    assert app.admin_key not in page.content()


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1"])
def test_a_foreign_page_cannot_call_the_dashboard(
    app: ServerProcess, start: Open, rebound_browser: Any, tmp_path: Path, name: str
) -> None:
    """Neither a page of another site, nor one of another port of this machine, to which the cookie is sent."""
    dashboard = start(app)
    page = dashboard.open(rebound_browser)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text("<!doctype html>")
    asked: list[int] = []
    with static_pages(tmp_path / "pages") as url:
        page.goto(f"{url.replace('127.0.0.1', name)}/index.html")
        page.context.on(
            "response",
            lambda answer: asked.append(answer.status) if answer.url.startswith(dashboard.address) else None,
        )
        outcomes = page.evaluate(ATTACK, [dashboard.address, "/data"])
    assert {outcomes[each] for each in ("fetch", "socket", "frame")} == {"refused"}, outcomes
    assert asked
    assert set(asked) <= {403}


def test_a_name_that_was_rebound_is_refused(app: ServerProcess, start: Open, rebound_browser: Any) -> None:
    dashboard = start(app)
    page = rebound_browser.new_context().new_page()
    evil = dashboard.url.replace("127.0.0.1", "evil.example")
    assert page.goto(evil).status == 403
    assert "names of this machine" in page.inner_text("body")
    assert page.context.cookies() == []


def test_everything_is_served_from_this_machine(app: ServerProcess, start: Open, browser: Any) -> None:
    dashboard = start(app)
    page = dashboard.open(browser)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    dashboard.go(page, "/data/books")
    assert asked
    assert [
        url
        for url in asked
        if not url.startswith((dashboard.address, dashboard.address.replace("http", "ws"), "data:"))
    ] == []

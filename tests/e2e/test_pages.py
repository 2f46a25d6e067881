"""Pages in headless Chromium: those of this machine use a development server and its files, those of the web reach nothing."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.static_pages import static_pages

APP = """
from convexpy import mutation, query

@mutation
def upload_url(ctx) -> str:
    return ctx.storage.generate_upload_url()

@query
def url(ctx, id: str) -> str | None:
    return ctx.storage.get_url(id)

@mutation
def write(ctx) -> None:
    ctx.db.insert("items", {})

@query
def written(ctx) -> int:
    return ctx.db.query("items").count()
"""
HTTP = """
from convexpy import Response, http_router

http = http_router()

@http.route("/act", methods=["GET", "POST"])
async def act(ctx, request):
    await ctx.run_mutation("app:write")
    return Response(b"")
"""
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"><script>alert(1)</script></svg>'
SHOWN = """([url, policy]) => new Promise((done) => {
  const image = new Image();
  image.referrerPolicy = policy;
  image.onload = () => done(image.naturalWidth);
  image.onerror = () => done(0);
  image.src = url;
})"""
ATTACK = """async ([api, site]) => {
  const outcomes = {};
  const attempt = async (name, work) => { try { outcomes[name] = await work(); } catch { outcomes[name] = "refused"; } };
  const body = JSON.stringify({ path: "app:write", args: {} });
  await attempt("call", async () => (await fetch(api + "/api/mutation", { method: "POST", headers: { "content-type": "application/json" }, body })).status);
  await attempt("opaque", async () => (await fetch(site + "/act", { method: "POST", mode: "no-cors", body: "" })).type);
  await attempt("read", async () => (await (await fetch(api + "/api/query?path=app:written&args={}")).text()));
  await attempt("socket", () => new Promise((done, failed) => {
    const socket = new WebSocket(api.replace("http", "ws") + "/api/1.48.0/sync");
    socket.onopen = () => done("open");
    socket.onerror = failed;
  }));
  await attempt("image", () => new Promise((done) => {
    const image = new Image();
    image.onload = image.onerror = () => done("tried");
    image.src = site + "/act";
  }));
  return outcomes;
}"""


@pytest.fixture
def app(server: ServerProcess) -> ServerProcess:
    server.push_ok({"app.py": APP, "http.py": HTTP})
    return server


def stored(server: ServerProcess, content: bytes, kind: str) -> str:
    path = server.call("mutation", "app:upload_url").removeprefix(server.url)
    id = server.request("POST", path, raw=content, headers={"Content-Type": kind})[1]["storageId"]
    url: str = server.call("query", "app:url", id=id)
    return url


def test_a_page_of_this_machine_shows_files(app: ServerProcess, browser: Any, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    png, svg, html = (
        stored(app, content, kind)
        for content, kind in ((PNG, "image/png"), (SVG, "image/svg+xml"), (b"<h1>x</h1>", "text/html"))
    )
    with static_pages(tmp_path) as url:
        page = browser.new_page()
        page.goto(f"{url.replace('127.0.0.1', 'localhost')}/index.html")  # another site than 127.0.0.1
        for policy in ("", "no-referrer"):
            assert page.evaluate(SHOWN, [png, policy]) == 1
            assert page.evaluate(SHOWN, [svg, policy]) == 7
        part = page.evaluate(
            "async (url) => { const got = await fetch(url, { headers: { range: 'bytes=1-3' } }); return [got.status, await got.text()]; }",
            png,
        )
        assert part == [206, "PNG"]
        with page.expect_download() as download:
            page.evaluate("(url) => { location = url; }", html)
        assert download.value.url == html


@pytest.mark.parametrize("guarded", [True, False])
def test_a_page_of_the_web_reaches_nothing(
    start_server: Any, rebound_browser: Any, tmp_path: Path, guarded: bool
) -> None:
    """With the guard switched off the same page reaches everything: so it is not the browser that refuses."""
    app = start_server(*(() if guarded else ("--allow-origin", "*", "--allow-host", "*")))
    app.push_ok({"app.py": APP, "http.py": HTTP})
    (tmp_path / "index.html").write_text("<!doctype html>")
    with static_pages(tmp_path) as url:
        page = rebound_browser.new_page()
        page.goto(f"{url.replace('127.0.0.1', 'evil.example')}/index.html")
        outcomes = page.evaluate(ATTACK, [app.url, app.site_url])
        # A page of its own server, whose name leads to ours from now on.
        page.goto(app.url.replace("127.0.0.1", "evil.example"))
        rebound = page.evaluate(ATTACK, ["", app.site_url.replace("127.0.0.1", "evil.example")])
    written = app.call("query", "app:written")
    if guarded:
        assert written == 0
        assert (outcomes["call"], outcomes["read"], outcomes["socket"]) == ("refused", "refused", "refused")
        assert rebound["call"] == 403
        assert "--allow-host evil.example" in rebound["read"]
    else:
        assert written >= 4
        assert (outcomes["call"], rebound["call"], outcomes["socket"]) == (200, 200, "open")

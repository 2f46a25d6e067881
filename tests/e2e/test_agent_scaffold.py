"""The scaffold `agent` in a browser: a session that is live, runs code, keeps files, and takes an upload and a webhook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.processes import ROOT, ServerProcess
from support.static_pages import static_pages
from svix.webhooks import Webhook

WAIT_MS = 40_000
CODE = "print(6 * 7); open('out.txt', 'w').write('file content')"


def functions() -> dict[str, str]:
    """Return the scaffold's modules, as a push sends them."""
    folder = ROOT / "scaffolds" / "agent" / "convex"
    found = {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*.py")}
    return {path: text for path, text in found.items() if not path.startswith("_generated/")}


@pytest.fixture
def app(server: ServerProcess) -> ServerProcess:
    server.push_ok(functions())
    values = {"DEMO_USER": "Ada", "WEBHOOK_SECRET": "s3cret", "AGENT_SANDBOX": "host"}
    changes = {"changes": [{"name": name, "value": value} for name, value in values.items()]}
    assert server.request("POST", "/api/update_environment_variables", changes, admin=True)[0] == 200
    return server


@pytest.fixture
def page_url(app: ServerProcess, node_clients: Path, tmp_path: Path) -> Iterator[str]:
    for file in (ROOT / "scaffolds" / "agent" / "web").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    bundle = Path("node_modules") / "convex" / "dist" / "browser.bundle.js"
    (tmp_path / bundle).parent.mkdir(parents=True)
    (tmp_path / bundle).write_bytes((node_clients / bundle).read_bytes())
    with static_pages(tmp_path) as url:
        yield f"{url}/index.html?url={app.url}"


def until_status(page: Any, status: str) -> None:
    page.wait_for_function(f"document.getElementById('status').textContent === '{status}'", timeout=WAIT_MS)


def until_count(page: Any, selector: str, count: int) -> list[str]:
    page.wait_for_function(f"document.querySelectorAll('{selector}').length === {count}", timeout=WAIT_MS)
    texts: list[str] = page.locator(selector).all_text_contents()
    return texts


def test_a_session_is_live_in_two_windows(
    app: ServerProcess, page_url: str, browser: Any, tmp_path: Path
) -> None:
    complaints: list[str] = []
    first = browser.new_page()
    first.on("pageerror", lambda error: complaints.append(str(error)))
    first.goto(page_url)
    until_status(first, "pending")
    second = browser.new_page()
    second.goto(page_url)
    until_status(second, "pending")

    first.fill("#prompt", CODE)
    first.click("button")
    for page in (first, second):
        until_status(page, "completed")
        assert until_count(page, "#messages li", 2) == [f"user {CODE}", "assistant 42\n"]
        assert until_count(page, "#artifacts li", 1) == ["out.txt 12 bytes"]
    link = first.get_attribute("#artifacts a", "href")
    assert first.request.get(link).text() == "file content"

    upload = tmp_path / "notes.txt"
    upload.write_text("from a page of another origin")
    second.set_input_files("#file", upload)
    assert until_count(first, "#artifacts li", 2)[1] == "notes.txt 29 bytes"

    # A run that goes on elsewhere ends with a webhook.
    session = app.request(
        "POST", "/api/query", {"path": "sessions:list", "args": {"workspaceId": workspace_of(app)}}
    )[1]["value"][0]["_id"]
    begin = {"path": "sessions:begin", "args": {"sessionId": session, "prompt": "elsewhere"}}
    assert app.request("POST", "/api/function", begin, admin=True)[1]["status"] == "success"
    until_status(second, "running")
    sent = {"sessionId": session, "status": "completed", "result": "done elsewhere"}
    for token, status in (("wrong", 401), ("s3cret", 200)):
        headers = {"Authorization": f"Bearer {token}"}
        assert app.request("POST", "/http/webhook/sandbox", sent, headers=headers)[0] == status
    for page in (first, second):
        until_status(page, "completed")
        assert until_count(page, "#messages li", 4)[3] == "assistant done elsewhere"
    assert complaints == []


def workspace_of(app: ServerProcess) -> str:
    workspaces = app.call("query", "workspaces:list")
    return str(workspaces[0]["_id"])


def test_events_signed_by_svix_arrive_and_tampered_ones_do_not(app: ServerProcess) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    change = {"changes": [{"name": "CLERK_WEBHOOK_SECRET", "value": secret}]}
    assert app.request("POST", "/api/update_environment_variables", change, admin=True)[0] == 200
    event = {"type": "user.created", "data": {"id": "user_1", "first_name": "Grace", "last_name": "Hopper"}}
    body, now = json.dumps(event), datetime.now(UTC)
    signed = {
        "svix-id": "msg_1",
        "svix-timestamp": str(int(now.timestamp())),
        "svix-signature": Webhook(secret).sign("msg_1", now, body),
    }

    def post(content: str, headers: dict[str, str]) -> int:
        return app.request("POST", "/http/webhook/clerk", raw=content.encode(), headers=headers)[0]

    def users() -> list[str]:
        page = {"table": "users", "order": "asc", "paginationOpts": {"cursor": None, "numItems": 10}}
        call = {"path": "_system/cli/tableData", "args": page}
        answer = app.request("POST", "/api/query", call, admin=True)[1]
        return [user["name"] for user in answer["value"]["page"]]

    assert post(body.replace("Grace", "Eve"), signed) == 400
    assert post(body, {**signed, "svix-id": "msg_2"}) == 400
    assert post(body, {**signed, "svix-timestamp": "1"}) == 400
    assert post(body, {}) == 400
    assert users() == []
    assert post(body, signed) == 200
    assert users() == ["Grace Hopper"]

"""The other pages in headless Chromium: what each is for, and what a key that only reads is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.accessibility import complaints
from support.dashboard import DashboardProcess
from support.processes import ServerProcess, wait_for
from support.production import ProductionServer

Open = Callable[..., DashboardProcess]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PAGES = (
    "/health", "/data", "/data/books", "/data/nothing", "/schema/books", "/functions", "/functions?path=app:add", "/files",
    "/schedules", "/schedules?tab=crons", "/logs", "/history", "/settings", "/settings?tab=keys", "/settings?tab=general",
)  # fmt: skip


def ask(server: ServerProcess, key: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Ask the admin API with a key; return status and body."""
    return server.request(method, path, body, headers={"Authorization": f"Convex {key}"})[:2]


def key_of(server: ServerProcess, kind: str) -> str:
    """Make a key."""
    body = {"name": kind, "kind": kind, "functions": [], "expiresAt": None}
    status, made = ask(server, server.admin_key, "POST", "/api/convexpy/keys", body)
    assert status == 200, made
    return str(made["key"])


def test_a_function_is_run_with_a_form_and_watched(app: ServerProcess, start: Open, browser: Any) -> None:
    dashboard = start(app)
    page = dashboard.open(browser, "/functions")
    page.get_by_label("Search").fill("ADD")
    page.locator(".grid tbody tr", has_text="app:add").wait_for()
    wait_for(lambda: page.locator(".grid tbody tr").count() == 1)
    page.locator(".grid tbody tr").click()
    page.get_by_role("heading", name="app:add").wait_for()
    page.get_by_label("title").fill("Kindred")
    page.get_by_role("textbox", name="pages").fill("many")
    page.get_by_role("button", name="Run mutation").click()
    page.get_by_role("alert").get_by_text("not a number").wait_for()
    page.get_by_role("textbox", name="pages").fill("264")
    page.get_by_role("button", name="Run mutation").click()
    page.get_by_text("Returned after").wait_for()
    assert app.call("query", "app:titles") == ["Kindred"]

    dashboard.go(page, "/functions?path=app:titles")
    page.get_by_role("button", name="Run and watch").click()
    result = page.get_by_role("region", name="Result")
    result.get_by_text("Kindred").wait_for()
    app.call("mutation", "app:add", title="Parable", pages=1)
    result.get_by_text("Parable").wait_for()

    dashboard.go(page, "/functions?path=app:caller")
    page.get_by_label("Act as").fill('{"subject": "ada"')
    page.get_by_role("button", name="Run and watch").click()
    page.get_by_role("alert").get_by_text("JSON object").wait_for()
    page.get_by_label("Act as").fill('{"subject": "ada", "issuer": "https://example.com"}')
    page.get_by_role("button", name="Run and watch").click()
    result.get_by_text("ada").wait_for()

    dashboard.go(page, "/functions?path=app:fails")
    page.get_by_role("button", name="Run and watch").click()
    result.get_by_text("out of paper").wait_for()


def test_logs_are_live_filtered_and_lead_to_one_call(app: ServerProcess, start: Open, browser: Any) -> None:
    dashboard = start(app)
    page = dashboard.open(browser, "/logs")
    app.call("mutation", "app:say", text="first words")
    app.call("mutation", "app:say", text="other words")
    page.get_by_text("said: first words").wait_for()
    page.get_by_text("said: other words").wait_for()
    page.get_by_label("Text").fill("first")
    page.get_by_text("said: other words").wait_for(state="hidden")
    page.locator("tr", has_text="said: first words").locator("a[href*=request]").click()
    page.get_by_text("All lines of the request").wait_for()
    page.get_by_text("warned of first words").wait_for()
    assert page.get_by_text("other words").count() == 0
    dashboard.go(page, "/logs?level=warn")
    page.get_by_text("warned of other words").wait_for()
    assert page.get_by_text("said: other words", exact=True).count() == 0


def test_files_are_uploaded_shown_downloaded_and_deleted(
    app: ServerProcess, start: Open, browser: Any, tmp_path: Path
) -> None:
    dashboard = start(app)
    page = dashboard.open(browser, "/files")
    page.get_by_text("No files yet").wait_for()
    picture = tmp_path / "dot.png"
    picture.write_bytes(PNG)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload files").click()
    (tmp_path / "page.html").write_text("<script>alert(1)</script>")
    chooser.value.set_files([str(picture), str(tmp_path / "page.html")])
    page.get_by_text("2 files are stored").wait_for()
    wait_for(lambda: page.locator(".grid tbody tr").count() == 2)
    wait_for(lambda: page.locator("img.thumb").evaluate("(image) => image.naturalWidth") == 1)

    page.locator(".grid tbody tr", has_text="text/html").locator("button.open").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_text() == "<script>alert(1)</script>"
    id = page.get_by_role("dialog").locator("header .mono").inner_text()
    answer = page.request.get(f"{dashboard.address}/files/content/{id}")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete this file?").get_by_role("button", name="Delete").click()
    wait_for(lambda: page.locator(".grid tbody tr").count() == 1)


def test_what_is_scheduled_is_cancelled_and_a_cron_job_run(
    app: ServerProcess, start: Open, browser: Any
) -> None:
    app.call("mutation", "app:later", text="much later")
    dashboard = start(app)
    page = dashboard.open(browser, "/schedules")
    row = page.locator(".grid tbody tr", has_text="app:say")
    row.get_by_text("Pending").wait_for()
    row.locator("button.open").click()
    page.get_by_role("dialog").get_by_text("much later").wait_for()
    page.get_by_role("dialog").locator("footer").get_by_role("button", name="Close").click()
    row.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    row.get_by_text("Cancelled").wait_for()
    page.get_by_role("link", name="Cron jobs").click()
    page.locator("tr", has_text="speak").get_by_role("button", name="Run now").click()
    dashboard.go(page, "/logs?text=from+the+cron")
    page.get_by_text("said: from the cron").wait_for()


def test_variables_are_hidden_until_one_is_shown(app: ServerProcess, start: Open, browser: Any) -> None:
    dashboard = start(app)
    page = dashboard.open(browser, "/settings")
    page.get_by_role("button", name="Add variable").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("API_KEY")
    form.get_by_label("Value").fill("s3cret value")
    form.get_by_role("button", name="Save").click()
    row = page.locator(".grid tbody tr", has_text="API_KEY")
    row.wait_for()
    form.wait_for(state="detached")
    assert "s3cret" not in page.content()
    row.get_by_role("button", name="Show").click()
    row.get_by_text("s3cret value").wait_for()
    row.get_by_role("button", name="Edit").click()
    form.get_by_label("Value").fill("another")
    form.get_by_role("button", name="Save").click()
    wait_for(
        lambda: (
            ask(app, app.admin_key, "GET", "/api/v1/list_environment_variables")[1]["environmentVariables"][
                "API_KEY"
            ]
            == "another"
        )
    )
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    page.get_by_text("No variables yet").wait_for()


def test_a_key_is_shown_once_and_revoked(app: ServerProcess, start: Open, browser: Any) -> None:
    dashboard = start(app)
    page = dashboard.open(browser, "/settings?tab=keys")
    page.get_by_role("button", name="Create key").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("laptop")
    form.get_by_role("button", name="Create").click()
    key = page.locator("#new-key").inner_text()
    assert ask(app, key, "GET", "/api/check_admin_key")[1]["isReadOnly"] is True
    page.get_by_role("button", name="Done").click()
    row = page.locator(".grid tbody tr", has_text="laptop")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    row.wait_for(state="detached")
    assert ask(app, key, "GET", "/api/check_admin_key")[0] == 403
    assert key not in page.content()


def test_pushes_are_listed_as_they_come(app: ServerProcess, start: Open, browser: Any) -> None:
    dashboard = start(app)
    page = dashboard.open(browser, "/history")
    page.locator(".grid tbody tr").first.wait_for()
    before = page.locator(".grid tbody tr").count()
    app.push_ok({"other.py": "from convexpy import query\n\n@query\ndef one(ctx) -> int:\n    return 1\n"})
    wait_for(lambda: page.locator(".grid tbody tr").count() == before + 1)
    assert "live" in page.locator(".grid tbody tr").first.inner_text()


def test_an_earlier_version_is_brought_back(app: ServerProcess, start: Open, browser: Any) -> None:
    app.call("mutation", "app:add", title="Piranesi", pages=272)
    app.push_ok(
        {
            "app.py": "from convexpy import query\n\n@query\ndef titles(ctx) -> list[str]:\n    return ['broken']\n"
        }
    )
    assert app.call("query", "app:titles") == ["broken"]
    dashboard = start(app)
    page = dashboard.open(browser, "/history")
    page.locator(".grid tbody tr").last.get_by_role("button", name="Roll back").click()
    plan = page.get_by_role("dialog")
    plan.get_by_text("app:add").wait_for()
    plan.get_by_role("button", name="Roll back").click()
    page.get_by_text("rollback to version").wait_for()
    assert app.call("query", "app:titles") == ["Piranesi"]


def test_health_counts_calls(app: ServerProcess, start: Open, browser: Any) -> None:
    dashboard = start(app)
    page = dashboard.open(browser, "/health")
    for _ in range(3):
        app.call("query", "app:titles")
    drawing = page.get_by_role("img", name="Calls per minute")
    wait_for(lambda: "No values yet" not in drawing.get_attribute("aria-label"))
    page.locator("tr", has_text="queries").wait_for()
    page.get_by_text("Not in the checkpoint yet").wait_for()


def test_a_key_that_only_reads_gives_a_dashboard_that_only_reads(
    app: ServerProcess, start: Open, browser: Any
) -> None:
    app.call("mutation", "app:add", title="Solaris", pages=204)
    dashboard = start(app, key=key_of(app, "read-only"))
    page = dashboard.open(browser, "/data/books")
    page.get_by_text("Solaris").wait_for()
    page.get_by_text("read-only").wait_for()
    assert page.get_by_role("button", name="Add document").count() == 0
    assert page.get_by_role("checkbox").count() == 0
    page.locator("button.open").click()
    page.get_by_text("cannot be changed here").wait_for()
    assert page.get_by_label("Fields, as JSON").get_attribute("readonly") is not None
    assert page.get_by_role("button", name="Save").count() == 0
    dashboard.go(page, "/functions?path=app:titles")
    page.get_by_role("button", name="Run and watch").click()
    page.get_by_role("region", name="Result").get_by_text("Solaris").wait_for()
    for path, reason in (
        ("/functions?path=app:add", "cannot run this mutation"),
        ("/settings", "does not allow to see environment variables"),
        ("/settings?tab=keys", "does not allow to manage keys"),
    ):
        dashboard.go(page, path)
        page.get_by_text(reason).wait_for()
    dashboard.go(page, "/files")
    assert page.get_by_role("button", name="Upload files").count() == 0


def test_a_production_deployment_is_changed_after_its_name_was_typed(
    tmp_path: Path, start: Open, browser: Any
) -> None:
    server = ProductionServer(tmp_path / "production")
    try:
        server.push_ok({"schema.py": SCHEMA_OF_NOTES})
        dashboard = start(server)
        name = dashboard.printed["name"]
        page = dashboard.open(browser, "/data/notes")
        page.get_by_text("production").wait_for()
        page.get_by_role("button", name="Add document").click()
        page.get_by_label("Fields, as JSON").fill('{"text": "one"}')
        page.get_by_role("button", name="Add", exact=True).click()
        question = page.get_by_role("dialog", name="Change this deployment?")
        question.get_by_role("textbox").fill("something else")
        question.get_by_role("button", name="Allow changes").click()
        question.get_by_text(f"This is not {name}").wait_for()
        refused = page.request.post(
            f"{dashboard.address}/files/upload", data=b"x", headers={"Origin": dashboard.address}
        )
        assert refused.status == 400
        assert "confirm" in refused.json()["error"]
        question.get_by_role("textbox").fill(name)
        question.get_by_role("button", name="Allow changes").click()
        page.locator(".grid").get_by_text("one").wait_for()
        page.get_by_role("button", name="Add document").click()
        page.get_by_label("Fields, as JSON").fill('{"text": "two"}')
        page.get_by_role("button", name="Add", exact=True).click()
        page.locator(".grid").get_by_text("two").wait_for()
    finally:
        server.close()


SCHEMA_OF_NOTES = """
from convexpy import define_schema, define_table, v

schema = define_schema({"notes": define_table({"text": v.string()})})
"""


def test_it_says_so_when_the_deployment_is_gone_and_goes_on_when_it_is_back(
    app: ServerProcess, start: Open, browser: Any
) -> None:
    dashboard = start(app)
    page = dashboard.open(browser, "/data/books")
    page.get_by_text("This table is empty").wait_for()
    app.kill()
    page.get_by_text("The deployment does not answer").wait_for()
    app.start()
    page.get_by_text("The deployment does not answer").wait_for(state="hidden")
    app.call("mutation", "app:add", title="The Waves", pages=219)
    page.locator(".grid").get_by_text("The Waves").wait_for()


def test_it_says_so_when_its_key_is_revoked(app: ServerProcess, start: Open, browser: Any) -> None:
    key = key_of(app, "read-only")
    dashboard = start(app, key=key)
    page = dashboard.open(browser, "/data/books")
    page.get_by_text("This table is empty").wait_for()
    assert ask(app, app.admin_key, "POST", "/api/convexpy/keys/revoke", {"key": "read-only"})[0] == 200
    page.get_by_text("has refused the key").wait_for()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_accessible(
    app: ServerProcess, start: Open, browser: Any, node_clients: Path, path: str
) -> None:
    app.call("mutation", "app:add", title="Orlando", pages=134)
    app.call("mutation", "app:say", text="words")
    app.call("mutation", "app:later", text="later")
    dashboard = start(app)
    page = dashboard.open(browser, path)
    page.wait_for_function("document.querySelector('main .body').innerText.trim().length > 20")
    assert complaints(page, node_clients) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/books", "Add document"),
        ("/settings", "Add variable"),
        ("/settings?tab=keys", "Create key"),
        ("/logs", "Keyboard shortcuts"),
    ],
)
def test_every_dialog_is_accessible(
    app: ServerProcess, start: Open, browser: Any, node_clients: Path, path: str, name: str
) -> None:
    dashboard = start(app)
    page = dashboard.open(browser, path)
    page.get_by_role("button", name=name).click()
    page.get_by_role("dialog").wait_for()
    page.wait_for_function("document.getAnimations().length === 0")
    assert complaints(page, node_clients) == []


def test_the_keyboard_is_enough(app: ServerProcess, start: Open, browser: Any) -> None:
    app.call("mutation", "app:add", title="Orlando", pages=134)
    dashboard = start(app)
    page = dashboard.open(browser, "/data/books")
    page.locator("button.open").wait_for()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.tagName") == "INPUT"
    page.locator("button.open").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.locator("button.open").focus()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard shortcuts").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/logs")


def test_a_narrow_window_has_a_menu(app: ServerProcess, start: Open, browser: Any) -> None:
    app.call("mutation", "app:add", title="Orlando", pages=134)
    dashboard = start(app)
    page = dashboard.open(browser, "/data/books", width=390)
    pages = page.get_by_role("navigation", name="Pages")
    pages.wait_for(state="hidden")
    page.get_by_role("button", name="Menu").click()
    pages.get_by_role("link", name="Logs").wait_for()
    page.keyboard.press("Escape")
    pages.wait_for(state="hidden")
    page.locator("button.open").click()
    shown = page.get_by_role("dialog").locator(".panel")
    wait_for(lambda: [round(shown.bounding_box()[side]) for side in ("x", "width")] == [0, 390])
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Menu").click()
    pages.get_by_role("link", name="Logs").click()
    page.get_by_role("heading", name="Logs").wait_for()


def test_a_query_that_failed_is_watched_on(app: ServerProcess, start: Open, browser: Any) -> None:
    dashboard = start(app)
    page = dashboard.open(browser, "/functions?path=app:first")
    page.get_by_role("button", name="Run and watch").click()
    result = page.get_by_role("region", name="Result")
    result.get_by_text("no book yet").wait_for()
    app.call("mutation", "app:add", title="Emma", pages=474)
    result.get_by_text("Emma").wait_for()


def test_the_theme_follows_the_system_and_the_switch(app: ServerProcess, start: Open, browser: Any) -> None:
    dashboard = start(app)
    page = dashboard.open(browser, "/logs", scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(20, 21, 24)"
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    dashboard.go(page, "/health")
    assert page.evaluate(paper) == "rgb(255, 255, 255)"


def test_json_says_where_it_is(app: ServerProcess, start: Open) -> None:
    printed = start(app).printed
    assert json.loads(json.dumps(printed)).keys() == {"url", "name", "deployment"}
    assert printed["deployment"] == app.url

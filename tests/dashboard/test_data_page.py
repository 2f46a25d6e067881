"""The Data page in headless Chromium, in front of a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.dashboard import DashboardProcess
from support.processes import ServerProcess, wait_for

Open = Callable[..., DashboardProcess]


def titles(server: ServerProcess) -> list[str]:
    found: list[str] = server.call("query", "app:titles")
    return found


def test_documents_are_live_filtered_and_paged(app: ServerProcess, start: Open, browser: Any) -> None:
    app.call("mutation", "app:fill", count=120)
    dashboard = start(app)
    page = dashboard.open(browser, "/data/books")
    rows = page.locator(".grid tbody tr")
    page.get_by_role("button", name="Book 119").or_(page.get_by_text("Book 119")).first.wait_for()
    wait_for(lambda: rows.count() == 50)
    app.call("mutation", "app:add", title="Just added", pages=7)
    page.get_by_text("Just added").wait_for()
    wait_for(lambda: page.locator("nav[aria-label=Tables] a[aria-current] .count").inner_text() == "121")
    for expected in ("Page 2", "Page 3"):
        page.get_by_role("button", name="Next page").click()
        page.get_by_text(expected).wait_for()
    wait_for(lambda: rows.count() == 21)
    page.get_by_role("columnheader", name="pages").get_by_role("button").click()
    page.get_by_text("Page 1").wait_for()
    wait_for(lambda: "Book 0" in rows.first.inner_text())
    page.get_by_label("Condition").fill("pages > 100 and pages < 104")
    page.get_by_label("Condition").press("Enter")
    wait_for(lambda: rows.count() == 3)
    page.get_by_label("Condition").fill("pages >")
    page.get_by_label("Condition").press("Enter")
    page.locator(".note.bad:visible").wait_for()
    page.get_by_role("button", name="Reset").click()
    wait_for(lambda: rows.count() == 50)
    page.get_by_label("Index", exact=True).select_option("by_pages")
    page.get_by_label("pages", exact=True).fill("42")
    page.get_by_label("pages", exact=True).press("Enter")
    wait_for(lambda: rows.count() == 1)
    assert "Book 42" in rows.first.inner_text()
    assert "by_pages" in page.url


def test_a_document_is_added_edited_and_deleted(app: ServerProcess, start: Open, browser: Any) -> None:
    author = app.call("mutation", "app:author", name="Le Guin")
    app.call("mutation", "app:add", title="Rocannon's World", pages=140, author=author)
    dashboard = start(app)
    page = dashboard.open(browser, "/data/books")
    page.get_by_role("button", name="Add document").click()
    area = page.get_by_label("Fields, as JSON")
    area.fill('{"title": "Lavinia"}')
    page.get_by_role("alert").get_by_text("pages").wait_for()
    area.fill('{"title": "Lavinia", "pages": 280}')
    area.press("Control+Enter")
    page.locator(".grid").get_by_text("Lavinia").wait_for()
    assert titles(app) == ["Rocannon's World", "Lavinia"]

    page.locator(".grid tbody tr", has_text="Lavinia").locator("button.open").click()
    area.fill('{"title": 5, "pages": 280}')
    page.get_by_role("alert").get_by_text("title").wait_for()
    area.fill('{"title": "Lavinia (2008)", "pages": 280}')
    page.get_by_role("button", name="Save").click()
    page.locator(".grid").get_by_text("Lavinia (2008)").wait_for()

    page.locator(".grid tbody tr", has_text="Lavinia").get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete").click()
    question = page.get_by_role("dialog")
    assert dashboard.printed["name"] in question.inner_text()
    question.get_by_role("button", name="Delete").click()
    wait_for(lambda: titles(app) == ["Rocannon's World"])

    page.locator(".grid").get_by_role("link", name=author).click()
    page.get_by_role("dialog").get_by_text(author).wait_for()
    assert "Le Guin" in area.input_value()

"""The scaffold `react` with an OpenID Connect issuer: signing in, tokens that are renewed, tokens that are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.issuer import Issuer
from support.login_page import LoginPage
from support.processes import ServerProcess, wait_for
from support.react_app import Window, built, functions_of, made
from support.static_pages import static_pages

# The client renews a token ten seconds before its end: a second or so after it was made.
LIFE_S = 11.5
RECORD_CHAT = """
window.chats = [];
const look = () => {
  const there = document.querySelector(".chat") !== null;
  if (there !== window.chats.at(-1)) window.chats.push(there);
};
new MutationObserver(look).observe(document, { childList: true, subtree: true });
"""


@pytest.fixture
def login() -> Iterator[LoginPage]:
    """An issuer with a login page, for Ada."""
    with (
        Issuer("chat") as issuer,
        LoginPage(issuer, sub="ada", name="Ada", expires_in_s=LIFE_S).open() as page,
    ):
        yield page


@pytest.fixture
def window(server: ServerProcess, login: LoginPage, browser: Any, tmp_path: Path) -> Iterator[Window]:
    """A window on an app that trusts the issuer."""
    options = ("--auth", "oidc", "--auth-issuer", login.issuer.url, "--auth-application", "chat")
    app = made(tmp_path, *options)
    server.push_ok(functions_of(app))
    complaints: list[str] = []
    with static_pages(built(app, server.url)) as url:
        window = Window(browser, f"{url}/", complaints, RECORD_CHAT)
        yield window
        window.page.context.close()
    assert complaints == []


def until_renewed(login: LoginPage) -> None:
    """Wait for the next token."""
    given = login.given
    wait_for(lambda: login.given > given, what="a renewed token")


def test_sign_in_lasts_beyond_the_tokens_and_ends_when_one_is_refused(
    window: Window, login: LoginPage, server: ServerProcess
) -> None:
    page = window.page
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="# general").wait_for()
    assert page.locator(".me span").text_content() == "Ada"
    channel = server.call("query", "channels:list")[0]["_id"]
    shown: list[str] = []
    for text in ("one", "two", "three"):
        until_renewed(login)
        window.write(text)
        shown.append(text)
        window.until(shown)
    assert page.evaluate("window.chats") == [False, True]
    options = {"numItems": 10, "cursor": None}
    stored = server.call("query", "messages:page", channelId=channel, paginationOpts=options)["page"]
    assert {message["author"] for message in stored} == {"Ada"}
    assert "sign in first" in str(
        server.failure("mutation", "messages:send", channelId=channel, body="x", author="Ada")
    )

    login.claims["aud"] = "another-app"
    page.get_by_role("button", name="Sign in").wait_for()
    assert page.locator(".me").count() == 0
    del login.claims["aud"]
    login.claims |= {"sub": "grace", "name": "Grace"}
    page.get_by_role("button", name="Sign in").click()
    page.locator(".me").get_by_text("Grace").wait_for()
    window.until(shown)

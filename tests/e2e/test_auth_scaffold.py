"""The scaffolds with sign-in, in Chromium against a real server: all pages, several tabs, wrong clocks, sessions that end."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.accessibility import complaints
from support.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider
from support.processes import ROOT, ServerProcess, wait_for
from support.react_app import built, functions_of, made
from support.static_pages import static_pages

PASSWORD, OTHER = "correct horse battery", "another staple entirely"
WAIT_MS = 30_000
OpenPage = Callable[..., Any]


class App:
    """A scaffold on a server: its pages at `url`."""

    def __init__(self, server: ServerProcess, functions: dict[str, str], url: str) -> None:
        self.server = server
        self.functions = functions
        self.url = url

    def push(self, **changes: str) -> None:
        """Push the functions, with texts of auth.py replaced."""
        source = self.functions["auth.py"]
        for old, new in changes.items():
            assert old in source
            source = source.replace(old, new)
        self.server.push_ok({**self.functions, "auth.py": source})

    def set(self, **variables: str) -> None:
        changes = [{"name": name, "value": value} for name, value in variables.items()]
        status, answer, _ = self.server.request(
            "POST", "/api/update_environment_variables", {"changes": changes}, admin=True
        )
        assert status == 200, answer

    def codes(self, to: str) -> list[str]:
        """Return what mail to an address had, from the log."""
        status, answer, _ = self.server.request("GET", "/api/convexpy/logs?limit=1000", admin=True)
        assert status == 200, answer
        return re.findall(rf"mail to {re.escape(to)}.*?(\d{{8}}|https?://\S+)", json.dumps(answer))


def static_app(folder: Path, server: ServerProcess) -> Path:
    """Return the pages of the HTML scaffold, with the address of the server and the client, as `convexpy dev` serves them."""
    web = folder / "web"
    (web / "convexpy.js").write_text(f'globalThis.CONVEX_URL = "{server.url}";')
    bundle = ROOT / "tests" / "e2e" / "clients" / "node_modules" / "convex"
    (web / "node_modules").mkdir()
    (web / "node_modules" / "convex").symlink_to(bundle)
    return web


@pytest.fixture(scope="module", params=["auth", "auth-html"])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = made(tmp_path_factory.mktemp("auth"), template=request.param)
    request.getfixturevalue("node_clients")
    server = ServerProcess(folder.parent / "data")
    pages = built(folder, server.url) if request.param == "auth" else static_app(folder, server)
    with static_pages(pages) as url:
        yield App(server, functions_of(folder), url)
    server.close()


@pytest.fixture
def open_page(app: App, browser: Any) -> Iterator[OpenPage]:
    """Return what opens a tab: of a new browser profile, or of that of another tab."""
    errors: list[str] = []
    with contextlib.ExitStack() as opened:

        def open_tab(beside: Any = None, path: str = "/", script: str = "") -> Any:
            context = browser.new_context() if beside is None else beside.context
            if beside is None:
                opened.callback(context.close)
                context.set_default_timeout(WAIT_MS)
            page = context.new_page()
            if script:
                page.add_init_script(script)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(f"{app.url}{path}")
            return page

        yield open_tab
    assert errors == []


def code_of(app: App, to: str) -> str:
    return str(wait_for(lambda: app.codes(to), what="the mail")[-1])


def field(page: Any, label: str) -> Any:
    """Return the input that is shown with this label."""
    return page.get_by_label(label, exact=True).filter(visible=True)


def sign_up(app: App, page: Any, email: str, password: str = PASSWORD) -> None:
    page.get_by_role("button", name="Create an account").click()
    field(page, "Name").fill("Ada")
    field(page, "E-mail").fill(email)
    field(page, "Password").fill(password)
    page.get_by_role("button", name="Create the account").click()
    field(page, "Code from the mail").fill(code_of(app, email))
    page.get_by_role("button", name="Continue").click()
    signed_in(page)


def sign_in(page: Any, email: str, password: str = PASSWORD) -> None:
    field(page, "E-mail").fill(email)
    field(page, "Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def signed_in(page: Any) -> None:
    page.get_by_role("heading", name="Notes of").wait_for()


def signed_out(page: Any) -> None:
    page.get_by_role("button", name="Sign in", exact=True).wait_for()


def write(page: Any, text: str) -> None:
    field(page, "New note").fill(text)
    page.get_by_role("button", name="Add").click()
    page.get_by_text(text, exact=True).wait_for()


def test_signing_up_writing_and_coming_back(app: App, open_page: OpenPage) -> None:
    app.push()
    page = open_page()
    sign_in(page, "first@example.com")
    page.get_by_role("alert").get_by_text("The address or the password is wrong.").wait_for()
    sign_up(app, page, "first@example.com")
    write(page, "one")
    page.reload()
    signed_in(page)
    page.get_by_text("one", exact=True).wait_for()
    other = open_page()
    sign_up(app, other, "second@example.com")
    assert other.get_by_text("one", exact=True).count() == 0
    page.get_by_role("button", name="Sign out", exact=True).click()
    signed_out(page)
    sign_in(page, "first@example.com")
    signed_in(page)


def test_two_tabs_are_one_session(app: App, open_page: OpenPage) -> None:
    app.push()
    page = open_page()
    sign_up(app, page, "tabs@example.com")
    beside = open_page(page)
    signed_in(beside)
    write(beside, "from the second")
    page.get_by_text("from the second", exact=True).wait_for()
    page.get_by_role("button", name="Sign out", exact=True).click()
    signed_out(page)
    signed_out(beside)
    sign_in(page, "tabs@example.com")
    signed_in(page)
    signed_in(beside)


def test_tokens_are_renewed_by_one_tab_for_all(app: App, open_page: OpenPage) -> None:
    app.push(
        **{
            "on_delete=": "token_lifetime=timedelta(seconds=12), reuse_grace=timedelta(0), on_delete=",
            "import os\n": "import os\nfrom datetime import timedelta\n",
        }
    )
    renewed = "window.renewed = []; const real = fetch; window.fetch = async (...given) => {"
    renewed += "const answer = await real(...given); if (String(given[1]?.body).includes('refreshToken'))"
    renewed += " window.renewed.push((await answer.clone().json()).value?.tokens === null ? 'refused' : 'renewed'); return answer; };"
    page = open_page(script=renewed)
    sign_up(app, page, "renew@example.com")
    beside = open_page(page, script=renewed)
    signed_in(beside)
    total = "window.renewed.length"
    wait_for(lambda: page.evaluate(total) + beside.evaluate(total) >= 5, what="some renewals")
    assert "refused" not in page.evaluate("window.renewed") + beside.evaluate("window.renewed")
    write(page, "after all that")
    beside.get_by_text("after all that", exact=True).wait_for()


@pytest.mark.parametrize("hours", [-30, 30])
def test_the_clock_of_the_browser_may_be_wrong(app: App, open_page: OpenPage, hours: int) -> None:
    app.push()
    skewed = f"const real = Date.now; Date.now = () => real() + {hours * 3600_000};"
    page = open_page(script=skewed)
    email = f"clock{hours}@example.com"
    sign_up(app, page, email)
    write(page, "on time")
    page.reload()
    signed_in(page)
    page.get_by_text("on time", exact=True).wait_for()


def test_sessions_are_ended_elsewhere(app: App, open_page: OpenPage) -> None:
    app.push()
    here, there = open_page(), open_page()
    sign_up(app, here, "devices@example.com")
    sign_in(there, "devices@example.com")
    signed_in(there)
    here.get_by_role("button", name="Account").click()
    here.get_by_text("This browser", exact=True).wait_for()
    here.get_by_role("button", name="Sign out all others").click()
    signed_out(there)
    sign_in(there, "devices@example.com")
    signed_in(there)
    here.get_by_role("button", name="Sign out everywhere").click()
    signed_out(here)
    signed_out(there)


def test_the_account_page(app: App, open_page: OpenPage) -> None:
    app.push()
    page = open_page()
    sign_up(app, page, "account@example.com")
    page.get_by_role("button", name="Account").click()
    field(page, "Current password").fill(OTHER)
    field(page, "New password").fill(OTHER)
    page.get_by_role("button", name="Change it").click()
    page.get_by_role("alert").get_by_text("The address or the password is wrong.").wait_for()
    field(page, "Current password").fill(PASSWORD)
    page.get_by_role("button", name="Change it").click()
    page.get_by_text("The password is changed.").wait_for()
    field(page, "E-mail").fill("moved@example.com")
    field(page, "Password, to confirm").fill(OTHER)
    page.get_by_role("button", name="Send a code").click()
    field(page, "Code from the mail").fill(code_of(app, "moved@example.com"))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("It is moved@example.com.").wait_for()
    field(page, "Password, to delete").fill(OTHER)
    page.get_by_role("button", name="Delete it").click()
    signed_out(page)
    sign_in(page, "moved@example.com", OTHER)
    page.get_by_role("alert").get_by_text("The address or the password is wrong.").wait_for()


def test_a_forgotten_password(app: App, open_page: OpenPage) -> None:
    app.push()
    page = open_page()
    sign_up(app, page, "forgetful@example.com")
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Forgotten the password?").click()
    field(page, "E-mail").fill("forgetful@example.com")
    before = len(app.codes("forgetful@example.com"))
    page.get_by_role("button", name="Send a code").click()
    field(page, "Code from the mail").wait_for()
    code = wait_for(lambda: app.codes("forgetful@example.com")[before:], what="another mail")[-1]
    field(page, "Code from the mail").fill(code)
    field(page, "New password").fill(OTHER)
    page.get_by_role("button", name="Continue").click()
    signed_in(page)


def test_codes_and_links_by_mail(app: App, open_page: OpenPage) -> None:
    app.push()
    page = open_page()
    page.get_by_role("button", name="Sign in by mail").click()
    field(page, "E-mail").fill("mail@example.com")
    page.get_by_role("button", name="Send", exact=True).click()
    field(page, "Code from the mail").fill(code_of(app, "mail@example.com"))
    page.get_by_role("button", name="Continue").click()
    signed_in(page)
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Sign in by mail").click()
    field(page, "E-mail").fill("mail@example.com")
    field(page, "a link").check()
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_text("A link is on its way").wait_for()
    link = wait_for(lambda: [each for each in app.codes("mail@example.com") if "://" in each], what="a link")[
        -1
    ]
    link = link.partition("\\n")[0]
    assert link.startswith(app.url)
    page.goto(link)
    signed_in(page)
    assert "code=" not in page.url
    again = open_page()
    again.goto(link)
    again.get_by_role("alert").get_by_text("The code is wrong, was used, or has expired.").wait_for()


def test_oauth_in_the_browser(app: App, open_page: OpenPage) -> None:
    with OidcProvider() as provider:
        app.set(AUTH_GITHUB_ID=CLIENT_ID, AUTH_GITHUB_SECRET=CLIENT_SECRET)
        app.push(**{"GitHub()": f'GitHub(address="{provider.url}", api="{provider.url}")'})
        page = open_page()
        page.get_by_role("button", name="Continue with GitHub").wait_for()
        assert page.get_by_role("button", name="Continue with Google").count() == 0
        page.get_by_role("button", name="Continue with GitHub").click()
        signed_in(page)
        assert page.url.startswith(app.url)
        assert "code=" not in page.url
        page.goto(f"{app.url}/?error=OAuthCancelled")
        page.get_by_role("heading", name="Notes of").wait_for()


def test_a_provider_is_added_to_an_account_and_the_password_removed(app: App, open_page: OpenPage) -> None:
    with OidcProvider() as provider:
        provider.emails = [{"email": "elsewhere@example.com", "primary": True, "verified": True}]
        provider.github_id = 78
        app.set(AUTH_GITHUB_ID=CLIENT_ID, AUTH_GITHUB_SECRET=CLIENT_SECRET)
        app.push(**{"GitHub()": f'GitHub(address="{provider.url}", api="{provider.url}")'})
        page = open_page()
        sign_up(app, page, "linking@example.com")
        write(page, "mine")
        page.get_by_role("button", name="Account").click()
        page.get_by_text("password: linking@example.com").wait_for()
        assert page.get_by_role("button", name="Remove password").count() == 0
        page.get_by_role("button", name="Add GitHub").click()
        signed_in(page)
        page.get_by_role("button", name="Account").click()
        page.get_by_text("github: elsewhere@example.com").wait_for()
        other = open_page()
        sign_up(app, other, "another@example.com")
        other.get_by_role("button", name="Account").click()
        other.get_by_role("button", name="Add GitHub").click()
        other.get_by_role("alert").get_by_text("That account belongs to another user.").wait_for()
        signed_in(other)
        assert page.get_by_role("button", name="Add GitHub").count() == 0
        page.get_by_role("button", name="Remove password").click()
        page.get_by_text("password: linking@example.com").wait_for(state="detached")
        page.get_by_role("button", name="Sign out", exact=True).first.click()
        signed_out(page)
        page.get_by_role("button", name="Continue with GitHub").click()
        signed_in(page)
        page.get_by_text("mine", exact=True).wait_for()


def test_pages_are_accessible_in_all_sizes_and_colours(
    app: App, open_page: OpenPage, node_clients: Path
) -> None:
    app.push()
    page = open_page()
    signed_out(page)
    assert complaints(page, node_clients) == []
    page.get_by_role("button", name="Sign in by mail").click()
    assert complaints(page, node_clients) == []
    page.get_by_role("button", name="Use a password").click()
    sign_up(app, page, "axe@example.com")
    write(page, "a note with averyveryveryveryveryveryveryveryveryveryveryveryverylongword")
    assert complaints(page, node_clients) == []
    page.get_by_role("button", name="Account").click()
    page.get_by_text("This browser", exact=True).wait_for()
    assert complaints(page, node_clients) == []


def test_both_scaffolds_have_one_client() -> None:
    react, html = (ROOT / "scaffolds" / folder / "auth-client.js" for folder in ("auth/src", "auth-html/web"))
    assert react.read_bytes() == html.read_bytes()

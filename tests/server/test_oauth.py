"""Sign-in at OAuth providers, on a real server and with real providers: the whole way, and everything that is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from support.issuer import private_key
from support.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider
from support.processes import ServerProcess
from support.sign_in_app import HTTP, NOTES, SCHEMA

PAGES = "http://pages.example"
AUTH = """
from convexpy.auth import OIDC, Auth, EmailCode, GitHub, Google, Password, Cost

def on_sign_up(ctx, user):
    return {{"role": user.get("name", "")}}

auth = Auth(
    providers=[
        OIDC(id="acme", name="Acme", issuer="{url}", client_id={id!r}, client_secret={secret!r}),
        GitHub(address="{url}", api="{url}", client_id={id!r}, client_secret={secret!r}),
        Google(),
        Password(verify=False, cost=Cost(memory_kib=64, passes=1)),
    ],
    site_url="{pages}",
    redirects=["http://other.example"],
    on_sign_up=on_sign_up,
)
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, OidcProvider]]:
    with OidcProvider() as provider:
        server = ServerProcess(tmp_path_factory.mktemp("oauth") / "data")
        source = AUTH.format(url=provider.url, pages=PAGES, id=CLIENT_ID, secret=CLIENT_SECRET)
        server.push_ok({"schema.py": SCHEMA, "auth.py": source, "http.py": HTTP, "notes.py": NOTES})
        yield server, provider
        server.close()


@pytest.fixture
def server(running: tuple[ServerProcess, OidcProvider]) -> ServerProcess:
    return running[0]


@pytest.fixture
def provider(running: tuple[ServerProcess, OidcProvider]) -> OidcProvider:
    provider = running[1]
    provider.person = {"sub": "u1", "email": "Ada@example.com", "email_verified": True, "name": "Ada"}
    provider.wrong, provider.methods = {}, ["client_secret_basic"]
    provider.signing_key = private_key("ES256", 41)
    return provider


class Browser:
    """A browser with cookies, and what a page keeps."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.client = httpx.Client()
        self.verifier = ""
        self.token: str | None = None

    def sign_in(self, provider: str | None = "acme", verifier: str | None = None, **params: Any) -> Any:
        args: dict[str, Any] = {"params": params}
        if provider is not None:
            args["provider"] = provider
        if verifier is not None:
            args["verifier"] = verifier
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        body = {"path": "auth:signIn", "args": args}
        _, answer, _ = self.server.request("POST", "/api/action", body, headers=headers)
        return answer

    def begin(self, provider: str = "acme", **params: Any) -> str:
        """Begin; return the deployment's address to go to."""
        answer = self.sign_in(provider, **params)
        self.verifier = answer["value"]["verifier"]
        address: str = answer["value"]["redirect"]
        return address

    def go(self, address: str) -> httpx.Response:
        return self.client.get(address)

    def come_back(self, address: str) -> str:
        """Follow to the provider and back; return the address of the page."""
        there = self.go(address)
        assert there.status_code == 302, there.text
        callback = self.go(there.headers["location"]).headers["location"]
        back = self.go(callback)
        assert back.status_code == 302, back.text
        page: str = back.headers["location"]
        return page

    def finish(self, page: str) -> Any:
        code = parse_qs(urlsplit(page).query)["code"][0]
        return self.sign_in(None, self.verifier, code=code)

    def signed_in(self, provider: str = "acme", **params: Any) -> dict[str, Any]:
        """Sign in all the way; return who that is."""
        answer = self.finish(self.come_back(self.begin(provider, **params)))
        assert answer["status"] == "success", answer
        self.token = answer["value"]["tokens"]["token"]
        return self.me()

    def me(self) -> Any:
        body = {"path": "notes:me", "args": {}}
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.server.request("POST", "/api/query", body, headers=headers)[1]["value"]

    def user(self) -> str:
        assert self.token is not None
        found: str = jwt.decode(self.token, options={"verify_signature": False})["sub"]
        return found


@pytest.fixture
def new_browser(server: ServerProcess) -> Iterator[Callable[[], Browser]]:
    with contextlib.ExitStack() as opened:

        def make() -> Browser:
            browser = Browser(server)
            opened.enter_context(browser.client)
            return browser

        yield make


@pytest.fixture
def browser(new_browser: Callable[[], Browser]) -> Browser:
    return new_browser()


@pytest.mark.parametrize("methods", [["client_secret_basic"], ["client_secret_post"]])
def test_the_whole_way(browser: Browser, provider: OidcProvider, methods: list[str]) -> None:
    provider.methods = methods
    address = browser.begin(redirectTo="/account?tab=1#x")
    page = browser.come_back(address)
    assert page.startswith(f"{PAGES}/account?tab=1&code=")
    assert page.endswith("#x")
    asked = provider.asked[-1]
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid email profile"
    assert asked["redirect_uri"].endswith("/api/auth/callback/acme")
    browser.token = browser.finish(page)["value"]["tokens"]["token"]
    assert browser.me()["email"] == "ada@example.com"


def test_github(browser: Browser, provider: OidcProvider) -> None:
    provider.emails = [
        {"email": "x@example.com", "primary": False, "verified": True},
        {"email": "Grace@example.com", "primary": True, "verified": True},
    ]
    assert browser.signed_in("github") == {"email": "grace@example.com", "name": "ada", "role": "ada"}


def test_only_configured_providers_are_offered(server: ServerProcess, browser: Browser) -> None:
    listed = [each["id"] for each in server.call("query", "auth:providers")]
    assert listed == ["acme", "github", "password"]
    assert browser.sign_in("google")["errorData"]["code"] == "UnknownProvider"
    assert browser.sign_in("nonsense")["errorData"]["code"] == "UnknownProvider"


def test_one_person_stays_one_user(new_browser: Callable[[], Browser], provider: OidcProvider) -> None:
    one, two = new_browser(), new_browser()
    provider.person = {"sub": "u7", "email": "seven@example.com", "email_verified": True}
    one.signed_in()
    provider.person = {"sub": "u7", "email": "moved@example.com", "email_verified": True}
    two.signed_in()
    assert one.user() == two.user()
    assert one.me()["email"] == "seven@example.com"


def test_the_same_verified_address_is_the_same_user_and_an_unverified_one_is_not(
    new_browser: Callable[[], Browser], provider: OidcProvider
) -> None:
    provider.person = {"sub": "v1", "email": "victor@example.com", "email_verified": True}
    victor, verified, unverified = new_browser(), new_browser(), new_browser()
    victor.signed_in()
    provider.emails = [{"email": "victor@example.com", "primary": True, "verified": False}]
    unverified.signed_in("github")
    assert unverified.user() != victor.user()
    provider.person = {"sub": "v2", "email": "victor@example.com", "email_verified": "true"}
    verified.signed_in()
    assert verified.user() == victor.user()
    provider.person = {"sub": "v3", "email": "victor@example.com", "email_verified": False}
    unverified.signed_in()
    assert unverified.user() != victor.user()


def test_linking_is_asked_for_and_finished_by_the_same_user(
    new_browser: Callable[[], Browser], provider: OidcProvider
) -> None:
    ada, eve = new_browser(), new_browser()
    for browser, email in ((ada, "link-ada@example.com"), (eve, "link-eve@example.com")):
        answer = browser.sign_in("password", flow="signUp", email=email, password="correct horse battery")
        browser.token = answer["value"]["tokens"]["token"]
    before = ada.user()
    provider.person = {"sub": "l1", "email": "elsewhere@example.com", "email_verified": False}
    page = ada.come_back(ada.begin(link=True))
    ada.token, own = eve.token, ada.token
    assert ada.finish(page)["errorData"]["code"] == "InvalidCode"
    ada.token = own
    assert ada.signed_in(link=True)["email"] == "link-ada@example.com"
    assert ada.user() == before
    eve_before = eve.user()
    assert eve.finish(eve.come_back(eve.begin(link=True)))["errorData"]["code"] == "AccountLinkedElsewhere"
    assert eve.user() == eve_before
    nobody = new_browser()
    assert nobody.sign_in("acme", link=True)["errorData"]["code"] == "NotSignedIn"
    nobody.signed_in()
    assert nobody.user() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another app"},
        {"aud": [CLIENT_ID, "another app"]},
        {"iss": "https://other.example"},
        {"exp": 1},
        {"exp": None},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
    ],
    ids=str,
)
def test_id_tokens_that_are_not_for_this_sign_in_are_refused(
    browser: Browser, provider: OidcProvider, wrong: dict[str, Any]
) -> None:
    provider.wrong = wrong
    assert browser.come_back(browser.begin()) == f"{PAGES}/?error=OAuthFailed"


def test_an_id_token_of_another_key_is_refused(browser: Browser, provider: OidcProvider) -> None:
    provider.signing_key = private_key("ES256", 42)
    assert browser.come_back(browser.begin()) == f"{PAGES}/?error=OAuthFailed"


def test_a_wrong_state_another_browser_and_a_second_time_are_refused(
    browser: Browser, new_browser: Callable[[], Browser], provider: OidcProvider
) -> None:
    there = browser.go(browser.begin())
    callback = browser.go(there.headers["location"]).headers["location"]
    state = parse_qs(urlsplit(callback).query)["state"][0]
    assert browser.go(callback.replace(state, state[:-2] + "xx")).status_code == 400
    assert new_browser().go(callback).status_code == 400
    assert browser.go(callback.replace("/callback/acme", "/callback/github")).status_code == 400
    again = browser.begin()
    there = browser.go(again)
    callback = browser.go(there.headers["location"]).headers["location"]
    cookie = dict(browser.client.cookies)
    page = browser.go(callback).headers["location"]
    browser.client.cookies.update(cookie)
    assert browser.go(callback).status_code == 400, "the callback works once"
    assert browser.go(again).status_code == 400, "and so does the beginning"
    assert browser.finish(page)["status"] == "success"
    assert browser.finish(page)["errorData"]["code"] == "InvalidCode"


def test_a_code_without_the_verifier_of_the_page_is_refused(browser: Browser, provider: OidcProvider) -> None:
    page = browser.come_back(browser.begin())
    code = parse_qs(urlsplit(page).query)["code"][0]
    assert browser.sign_in(None, code=code)["errorData"]["code"] == "InvalidCode"
    assert browser.sign_in(None, "guess", code=code)["errorData"]["code"] == "InvalidCode"
    assert browser.finish(page)["errorData"]["code"] == "InvalidCode", "a wrong verifier uses the code up"


def test_a_provider_that_says_no_leads_back_with_an_error(browser: Browser, provider: OidcProvider) -> None:
    there = browser.go(browser.begin())
    state = parse_qs(urlsplit(there.headers["location"]).query)["state"][0]
    callback = provider.asked and parse_qs(urlsplit(there.headers["location"]).query)["redirect_uri"][0]
    back = browser.go(f"{callback}?error=access_denied&state={state}")
    assert back.headers["location"] == f"{PAGES}/?error=OAuthCancelled"
    assert "Max-Age=0" in back.headers["set-cookie"]


def test_the_cookie_is_out_of_reach_of_scripts_and_other_paths(
    browser: Browser, provider: OidcProvider
) -> None:
    cookie = browser.go(browser.begin()).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/api/auth/callback/" in cookie


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "https://evil.example/",
        "http://pages.example.evil.example/",
        "http://pages.example@evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "pages",
        7,
    ],
)
def test_sign_in_leads_to_the_apps_pages_only(browser: Browser, address: Any) -> None:
    assert browser.sign_in("acme", redirectTo=address)["errorData"]["code"] == "RedirectNotAllowed"


def test_sign_in_may_lead_to_a_further_origin(browser: Browser, provider: OidcProvider) -> None:
    page = browser.come_back(browser.begin(redirectTo="http://other.example/in"))
    assert page.startswith("http://other.example/in?code=")

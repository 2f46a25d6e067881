"""The official React client of `@convex-dev/auth`, as it is, with sign-in by `convexpy.auth`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.npm import E2E, installed
from support.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider
from support.processes import ServerProcess, wait_for
from support.sign_in_app import sign_in_app
from support.static_pages import static_pages

WAIT_MS = 30_000


@pytest.fixture
def page(tmp_path: Path, browser: Any, server: ServerProcess) -> Iterator[Any]:
    """A page with the client, on an app with passwords and a GitHub; tokens are renewed every other second."""
    folder = installed(E2E / "official_auth")
    build = ["npx", "vite", "build", "--outDir", str(tmp_path / "dist"), "--logLevel", "error"]
    env = {**os.environ, "VITE_CONVEX_URL": server.url}
    done = subprocess.run(
        build, cwd=folder, env=env, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with OidcProvider() as provider, static_pages(tmp_path / "dist") as url:
        app = sign_in_app(verify=False, options="token_lifetime=timedelta(seconds=12)")
        github = f"GitHub(address={provider.url!r}, api={provider.url!r}, client_id={CLIENT_ID!r}, client_secret={CLIENT_SECRET!r})"
        source = app["auth.py"].replace("MagicLink(),", f"MagicLink(), {github},")
        server.push_ok({**app, "auth.py": source.replace("import Auth,", "import GitHub, Auth,")})
        context = browser.new_context()
        context.set_default_timeout(WAIT_MS)
        opened = context.new_page()
        opened.goto(f"{url}/")
        yield opened
        context.close()


def until(page: Any, state: str) -> None:
    page.wait_for_function(
        "(state) => document.querySelector('[role=status]')?.textContent === state", arg=state
    )


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_the_official_client_signs_up_stays_renews_and_signs_out(page: Any) -> None:
    until(page, "out")
    press(page, "sign up")
    until(page, "in: ada@example.com")
    page.reload()
    until(page, "in: ada@example.com")
    renewals: list[str] = []

    def note(request: Any) -> None:
        if "refreshToken" in (request.post_data or ""):
            renewals.append(request.url)

    page.on("request", note)

    def renewed() -> bool:
        page.evaluate("0")  # lets events in
        return len(renewals) >= 3

    wait_for(renewed, what="renewals")
    until(page, "in: ada@example.com")
    press(page, "sign out")
    until(page, "out")
    press(page, "sign in")
    until(page, "in: ada@example.com")


def test_the_official_client_signs_in_at_a_provider(page: Any) -> None:
    until(page, "out")
    press(page, "GitHub")
    until(page, "in: ada@example.com")
    assert "code=" not in page.url

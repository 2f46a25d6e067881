"""`[dev] page`: `convexpy dev` serves a folder, its own address in it, and the client that the page needs."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from convexpy_cli.dev import browser_client
from convexpy_cli.dev.page import CLIENT_PATH, Page

URL = "http://127.0.0.1:4567"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    web = tmp_path / "web"
    web.mkdir()
    (web / "index.html").write_text("<p>hello")
    (web / ".env").write_text("SECRET=1")
    (web / "images").mkdir()
    (tmp_path / "outside.txt").write_text("not yours")
    return web


@pytest.fixture
def page(folder: Path) -> Iterator[Page]:
    page = Page(folder, url=URL, site_url="http://127.0.0.1:4568")
    yield page
    page.close()


def get(page: Page, path: str, host: str | None = None) -> tuple[int, bytes]:
    address = urlsplit(page.url)
    connection = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": host or address.netloc})
        answer = connection.getresponse()
        assert answer.getheader("Cache-Control") == "no-store"
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_serves_the_folder_and_the_addresses(page: Page) -> None:
    assert get(page, "/") == (200, b"<p>hello")
    assert get(page, "/index.html?name=Ada")[0] == 200
    status, script = get(page, "/convexpy.js")
    assert status == 200
    assert f'globalThis.CONVEX_URL = "{URL}";'.encode() in script


@pytest.mark.parametrize(
    "path", ["/.env", "/%2eenv", "/../outside.txt", "/%2e%2e/outside.txt", "/images/", "/missing"]
)
def test_hidden_files_listings_and_what_is_outside_are_not_found(page: Page, path: str) -> None:
    assert get(page, path)[0] == 404


def test_a_foreign_name_is_refused(page: Page) -> None:
    port = urlsplit(page.url).port
    assert get(page, "/", host=f"attacker.example:{port}")[0] == 403
    assert get(page, "/", host=f"localhost:{port}")[0] == 200


def test_two_pages_have_two_ports(folder: Path, page: Page) -> None:
    second = Page(folder, url=URL, site_url="")
    assert second.url != page.url
    second.close()


def test_an_installed_client_is_used(folder: Path, page: Page) -> None:
    installed = folder / CLIENT_PATH.lstrip("/")
    installed.parent.mkdir(parents=True)
    installed.write_text("// installed")
    assert get(page, CLIENT_PATH) == (200, b"// installed")


def test_an_archive_with_another_hash_is_not_run(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answer:
        content = b"something else"

        def raise_for_status(self) -> None: ...

    monkeypatch.setattr("httpx.get", lambda *_, **__: Answer())
    status, script = get(page, CLIENT_PATH)
    assert status == 200
    assert script.startswith(b"console.error(")
    assert b"not the archive that was published" in script
    assert not (tmp_path / "cache").exists()


def test_without_a_registry_the_page_says_what_to_do(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    assert b"npm install convex" in get(page, CLIENT_PATH)[1]


def test_the_published_bundle_is_downloaded_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    status, script = get(page, CLIENT_PATH)
    if b"could not be downloaded" in script:
        pytest.skip("no npm registry here")
    assert status == 200
    assert b"ConvexClient" in script
    monkeypatch.setattr(browser_client, "_download", lambda: pytest.fail("downloaded again"))
    assert hashlib.sha256(get(page, CLIENT_PATH)[1]).digest() == hashlib.sha256(script).digest()


def test_dev_names_the_page(
    run: Any, background: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("init", "made", "--template", "chat", "--no-git", "--quiet")
    dev = background(tmp_path / "made", "dev", "--json", "--typecheck", "disable", "--codegen", "disable")
    url = dev.until("server")["url"]
    page = dev.until("page")["url"]
    with_address = http.client.HTTPConnection("127.0.0.1", urlsplit(page).port or 0, timeout=30)
    with_address.request("GET", "/convexpy.js")
    assert url.encode() in with_address.getresponse().read()
    with_address.close()

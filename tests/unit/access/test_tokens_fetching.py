"""What issuers may answer, and where they may send the server."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, strategies as st
from support.issuer import DISCOVERY, KEYS, Issuer

from convexpy.access import TokenRefused, TokenVerifier, _fetching as fetching
from convexpy.access._fetching import KeyFetcher, is_public
from convexpy.limits import ISSUER_ANSWER_BYTES_MAX


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer(algorithm="EdDSA") as running:
        yield running


def outcome(
    issuer: Issuer, *, custom: bool = False, development: bool = False, fetcher: KeyFetcher | None = None
) -> str:
    """Verify a token with a verifier that knows nothing yet; return its subject, or why it was refused."""
    verifier = TokenVerifier(development=development, fetcher=fetcher)
    verifier.configure([issuer.custom_provider() if custom else issuer.provider()])
    try:
        return str(asyncio.run(verifier.verify(issuer.token("alice"))).claims["subject"])
    except TokenRefused as refused:
        return f"{refused.code}: {refused.reason}"


def test_answers_are_bounded(issuer: Issuer) -> None:
    issuer.padding = ISSUER_ANSWER_BYTES_MAX // 2
    assert outcome(issuer) == "alice"
    issuer.padding = ISSUER_ANSWER_BYTES_MAX
    assert f"more than {ISSUER_ANSWER_BYTES_MAX} bytes" in outcome(issuer)
    assert f"more than {ISSUER_ANSWER_BYTES_MAX} bytes" in outcome(issuer, custom=True)


def test_packed_answers_are_not_unpacked(issuer: Issuer) -> None:
    issuer.headers = {"Content-Encoding": "gzip"}
    assert "encoding that was not asked for" in outcome(issuer)


@pytest.mark.parametrize("status", [201, 204, 400, 401, 404, 500, 304])
def test_only_status_200_is_an_answer(issuer: Issuer, status: int) -> None:
    issuer.status = status
    assert f"status {status}" in outcome(issuer)


@pytest.mark.parametrize(
    ("declared", "accepted"),
    [
        ("application/json", True),
        ("application/jwk-set+json", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/html", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_the_key_set_of_customjwt_must_be_declared_as_json(
    issuer: Issuer, declared: str, accepted: bool
) -> None:
    issuer.content_type = declared
    assert (outcome(issuer, custom=True) == "alice") == accepted
    assert outcome(issuer) == "alice"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issuer": "https://other.example.com"}, "of another issuer"),
        ({"issuer": None}, "of another issuer"),
        ({"jwks_uri": None}, "names no keys"),
        ({"jwks_uri": "file:///etc/passwd"}, "not an http(s) address"),
        ({"jwks_uri": "/keys"}, "not an http(s) address"),
        ({"jwks_uri": "http://user:secret@127.0.0.1/keys"}, "not an http(s) address"),
        ({"jwks_uri": "http://keys.example.com/keys"}, "https only"),
        ({"jwks_uri": "https://[::1"}, "malformed"),
        ({"jwks_uri": "https://10.0.0.1/keys"}, "not a public one"),
        ({"jwks_uri": "https://169.254.169.254/latest/meta-data"}, "not a public one"),
        ({"jwks_uri": "https://[::ffff:169.254.169.254]/"}, "not a public one"),
        ({"jwks_uri": "https://localhost/keys"}, "not a public one"),
    ],
)
def test_discovery_documents_that_lead_astray(issuer: Issuer, changes: dict[str, Any], words: str) -> None:
    issuer.discovery = changes
    reason = outcome(issuer)
    assert words in reason
    assert "secret" not in reason


def test_reasons_are_fit_for_a_log(issuer: Issuer) -> None:
    issuer.redirects = {KEYS: "http://\x1b[2Jexample.com/" + "x" * 5000}
    reason = outcome(issuer)
    assert "Invalid" in reason
    assert reason.isprintable()
    assert len(reason) < 500
    issuer.redirects = {KEYS: "http://example.com/" + "x" * 5000}
    assert len(outcome(issuer)) < 500
    issuer.redirects = {}
    issuer.discovery = {"issuer": "\n\x1b[2J" * 500}
    reason = outcome(issuer)
    assert reason.isprintable()
    assert len(reason) < 400


def test_a_discovery_document_may_write_its_issuer_with_a_slash(issuer: Issuer) -> None:
    issuer.discovery = {"issuer": issuer.url + "/"}
    assert outcome(issuer) == "alice"


def test_three_redirects_are_followed_and_no_more(issuer: Issuer) -> None:
    issuer.redirects = {"/1": "/2", "/2": "/3", "/3": KEYS}
    issuer.discovery = {"jwks_uri": issuer.url + "/1"}
    assert outcome(issuer) == "alice"
    issuer.discovery = {"jwks_uri": issuer.url + "/0"}
    issuer.redirects["/0"] = "/1"
    assert "more than 3 redirects" in outcome(issuer)


def test_redirects_count_for_discovery_and_keys_together(issuer: Issuer) -> None:
    issuer.redirects = {DISCOVERY: "/again"}
    issuer.redirects["/again"] = DISCOVERY
    assert "more than 3 redirects" in outcome(issuer)
    assert len(issuer.requests) == 4


def test_production_does_not_follow_an_issuer_into_the_private_network(issuer: Issuer) -> None:
    with Issuer() as inside:
        issuer.redirects = {KEYS: inside.url + KEYS}
        assert "not a public one" in outcome(issuer)
        assert "not a public one" in outcome(issuer, custom=True)
        assert inside.requests == []
        assert outcome(issuer, development=True) == "alice"  # both publish the same keys
        assert inside.requests == [KEYS]


def test_a_name_with_one_private_address_is_not_public(issuer: Issuer) -> None:
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["93.184.216.34", "10.0.0.1"]

    issuer.redirects = {KEYS: "https://rebinding.example.com:8443/keys"}
    fetcher = KeyFetcher(development=False, resolve=resolve)
    assert "rebinding.example.com, named by the issuer, is not fetched" in outcome(issuer, fetcher=fetcher)
    assert asked == [("rebinding.example.com", 8443)]


def test_a_name_that_does_not_exist(issuer: Issuer) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    issuer.redirects = {KEYS: "https://nowhere.example.com/keys"}
    assert "was not found: no such host" in outcome(
        issuer, fetcher=KeyFetcher(development=False, resolve=resolve)
    )


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    issuer = Issuer(algorithm="EdDSA")
    seen: list[httpx.Request] = []

    async def resolve(host: str, port: int) -> list[str]:
        return ["2606:4700::1111", "93.184.216.34"]

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.path == DISCOVERY:
            return httpx.Response(302, headers={"Location": "https://www.example.com/discovery?x=1"})
        if request.url.host == "2606:4700::1111":
            raise httpx.ConnectError("unreachable")
        keys = {**issuer.key_set(), "issuer": issuer.url, "jwks_uri": "https://keys.example.com:444/k"}
        return httpx.Response(200, headers={"Content-Type": "application/json"}, content=streamed(keys))

    fetcher = KeyFetcher(development=False, resolve=resolve, transport=httpx.MockTransport(answer))
    assert outcome(issuer, fetcher=fetcher) == "alice"
    assert [str(request.url) for request in seen] == [
        issuer.url + DISCOVERY,
        "https://[2606:4700::1111]/discovery?x=1", "https://93.184.216.34/discovery?x=1",
        "https://[2606:4700::1111]:444/k", "https://93.184.216.34:444/k",
    ]  # fmt: skip
    assert [request.headers["host"] for request in seen[1:]] == ["www.example.com"] * 2 + [
        "keys.example.com:444"
    ] * 2
    assert seen[4].extensions["sni_hostname"] == "keys.example.com"


async def streamed(document: dict[str, Any]) -> AsyncIterator[bytes]:
    yield json.dumps(document).encode()


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate for a name, signed by itself: its file, and what a server needs to show it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return file, context


@pytest.mark.parametrize("named", ["keys.example.com", "other.example.com"])
def test_a_checked_address_must_still_prove_its_name(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """The server at the address has a certificate for keys.example.com: it is believed under that name only."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    file, context = certificate(tmp_path, "keys.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setattr(fetching, "is_public", lambda ip: ip == "127.0.0.1")
    with Issuer(tls=context, host=named) as secure:
        issuer.discovery = {"jwks_uri": secure.url + KEYS}
        found = outcome(issuer, fetcher=KeyFetcher(development=False, resolve=resolve))
        if named == "keys.example.com":
            assert found == "alice"
            assert secure.requests == [KEYS]
        else:
            assert "CERTIFICATE_VERIFY_FAILED" in found
            assert secure.requests == []


def test_unreadable_certificates_of_this_machine_are_said(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.pem").write_text("nonsense")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "broken.pem"))
    assert "certificates of this machine" in outcome(issuer)


def test_an_issuer_that_is_gone(issuer: Issuer) -> None:
    issuer.stop()
    assert "no connection to http://127.0.0.1" in outcome(issuer)


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "::1", "fe80::1", "fe80::1%eth0",
        "fc00::1", "fd12:3456::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "2001:db8::1",
        "2002:7f00:1::", "2002:a00:1::", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "nonsense", "",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize(
    "ip", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
)
def test_addresses_that_are_public(ip: str) -> None:
    assert is_public(ip)


@given(st.ip_addresses(v=4))
def test_wrapped_addresses_are_as_public_as_what_they_wrap(ip: ipaddress.IPv4Address) -> None:
    packed = int(ip)
    assert is_public(f"::ffff:{ip}") == is_public(str(ip))
    assert is_public(str(ipaddress.IPv6Address((0x2002 << 112) | packed << 80))) == is_public(str(ip))
    assert is_public(f"64:ff9b::{ip}") == is_public(str(ip))

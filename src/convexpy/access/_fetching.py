"""Asking issuers for their keys, without trusting their answers.

The addresses that a developer wrote down are trusted; those that an answer names (a redirect, the `jwks_uri` of a
discovery document) are not: outside of development they must be https, and every address their host has must be a
public one, so that no issuer can make the server speak to its own network. The connection then goes to the very address
that was checked, since a name server may give another answer to the next question.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec

from convexpy.access._jwks import KeySet, KeySetError, read_key_set
from convexpy.access._providers import permitted, same_issuer
from convexpy.access._refusals import shown
from convexpy.limits import ISSUER_ANSWER_BYTES_MAX, ISSUER_FETCH_S_MAX, ISSUER_REDIRECTS_MAX

if TYPE_CHECKING:
    import ssl

    import httpx


Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Returns the IP addresses of a host; raises OSError."""

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
KEY_SET_TYPES: Final = frozenset({"application/json", "application/jwk-set+json"})
ADDRESSES_TRIED_MAX = 3


class KeyFetcher:
    """Fetches key sets over HTTP. Each fetch has its own connections and no cookies, and leaves nothing open."""

    def __init__(
        self,
        *,
        development: bool,
        resolve: Resolve | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        within_s: float = ISSUER_FETCH_S_MAX,
    ) -> None:
        self._development = development
        self._resolve = resolve or _resolve
        self._transport = transport
        self._within_s = within_s
        self._tls: ssl.SSLContext | None = None

    async def discovered(self, issuer: str) -> KeySet:
        """Return the keys of an OpenID Connect issuer.

        Raises:
            KeySetError: they cannot be had; says why.
        """

        async def steps(fetch: _Fetch) -> bytes:
            text = await fetch.get(f"{issuer}/.well-known/openid-configuration")
            return await fetch.get(_keys_address(text, issuer))

        return read_key_set(await self._run(issuer, steps))

    async def at(self, address: str) -> KeySet:
        """Return the keys at an address, which must be declared as JSON.

        Raises:
            KeySetError: they cannot be had; says why.
        """
        return read_key_set(await self._run(address, lambda fetch: fetch.get(address, KEY_SET_TYPES)))

    async def _run(self, trusted: str, steps: Callable[[_Fetch], Awaitable[bytes]]) -> bytes:
        try:
            async with asyncio.timeout(self._within_s):
                # Importing the client and reading the certificates takes longer than other connections may wait.
                if self._tls is None:
                    self._tls = await asyncio.to_thread(_prepare)
                import httpx

                async with httpx.AsyncClient(
                    verify=self._tls,
                    transport=self._transport,
                    follow_redirects=False,
                    trust_env=False,
                    timeout=self._within_s,
                    headers={
                        "Accept": "application/json",
                        "Accept-Encoding": "identity",
                        "User-Agent": "convexpy",
                    },
                ) as client:
                    return await steps(_Fetch(client, trusted, self._resolve, self._development))
        except TimeoutError:
            raise KeySetError(f"no answer from {_place(trusted)} within {self._within_s:g} s") from None
        except OSError as error:
            raise KeySetError(f"the certificates of this machine could not be read: {error}") from None


class _Fetch:
    """One fetch: the discovery document, the key set, and their redirects."""

    def __init__(self, client: httpx.AsyncClient, trusted: str, resolve: Resolve, development: bool) -> None:
        self._client = client
        self._trusted = _origin(urlsplit(trusted))
        self._resolve = resolve
        self._development = development
        self._redirects_left = ISSUER_REDIRECTS_MAX

    async def get(self, address: str, types: frozenset[str] | None = None) -> bytes:
        """Return the body at an address, at the end of its redirects; of one of the media types, if any are given."""
        while True:
            redirect, body = await self._once(address, types)
            if redirect is None:
                return body
            if self._redirects_left == 0:
                raise KeySetError(
                    f"more than {ISSUER_REDIRECTS_MAX} redirects, the last to {_place(redirect)}"
                )
            self._redirects_left -= 1
            address = redirect

    async def _once(self, address: str, types: frozenset[str] | None) -> tuple[str | None, bytes]:
        import httpx

        attempts = await self._attempts(address)
        while True:
            url, options = attempts.pop(0)
            try:
                async with self._client.stream("GET", url, **options) as response:
                    if response.status_code in REDIRECTS and "location" in response.headers:
                        return urljoin(address, response.headers["location"]), b""
                    _check_answer(address, response, types)
                    return None, await _body(address, response)
            except httpx.ConnectError as error:
                if not attempts:
                    raise KeySetError(f"no connection to {_place(address)}: {_plain(error)}") from None
            except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
                what = f"{type(error).__name__}: {_plain(error)}"
                raise KeySetError(f"{_place(address)} did not answer: {what}") from None

    async def _attempts(self, address: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the URLs under which to try an address, with the options of each request."""
        try:
            parts = urlsplit(address)
            origin = _origin(parts)
        except ValueError:
            raise KeySetError("an address given by the issuer is malformed") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise KeySetError(f"{_place(address)} is not an http(s) address that can be asked")
        if not permitted(parts, development=self._development):
            raise KeySetError(f"{_place(address)} is not fetched: https only, outside of development")
        if self._development or origin == self._trusted:
            return [(address, {})]
        found = await self._public_addresses(parts.hostname, origin[2])
        return [(_pinned(parts, ip), _named(parts)) for ip in found[:ADDRESSES_TRIED_MAX]]

    async def _public_addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise KeySetError(
                f"{_plain(host)}, named by the issuer, was not found: {_plain(error)}"
            ) from None
        if not found or not all(is_public(ip) for ip in found):
            raise KeySetError(
                f"{_plain(host)}, named by the issuer, is not fetched: its address is not a public one"
            )
        return found


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(ip: str) -> bool:
    """Return whether an IP address is one of the public internet, also where it wraps an IPv4 address."""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in NAT64:
            inner = ipaddress.IPv4Address(address.packed[-4:])
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _pinned(parts: SplitResult, ip: str) -> str:
    host = f"[{ip}]" if ":" in ip else ip
    return parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}").geturl()


def _named(parts: SplitResult) -> dict[str, Any]:
    """The options with which a request to an IP address is one to the host: its name in the header and in TLS."""
    return {"headers": {"Host": parts.netloc}, "extensions": {"sni_hostname": parts.hostname}}


def _check_answer(address: str, response: httpx.Response, types: frozenset[str] | None) -> None:
    if response.status_code != 200:
        raise KeySetError(f"{_place(address)} answered with status {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        # Unpacking could make any amount of data of a small answer.
        raise KeySetError(f"{_place(address)} answered with an encoding that was not asked for")
    declared = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if types is not None and declared not in types:
        raise KeySetError(
            f"{_place(address)} answered with type {shown(declared)}, not {' or '.join(sorted(types))}"
        )


async def _body(address: str, response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > ISSUER_ANSWER_BYTES_MAX:
            raise KeySetError(f"{_place(address)} answered with more than {ISSUER_ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _keys_address(text: bytes, issuer: str) -> str:
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise KeySetError(f"the discovery document of {issuer} is not a JSON object") from None
    _check_issuer(document, issuer)
    address = document.get("jwks_uri")
    if not isinstance(address, str):
        raise KeySetError(f"the discovery document of {issuer} names no keys (jwks_uri)")
    return address


def _check_issuer(document: Mapping[str, Any], issuer: str) -> None:
    named = document.get("issuer")
    if not isinstance(named, str) or not same_issuer(named, issuer):
        raise KeySetError(f"the discovery document of {issuer} is of another issuer: {shown(named)}")


def _place(address: str) -> str:
    """Return where an address is, without what may be secret in it."""
    try:
        parts = urlsplit(address)
        return _plain(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
    except ValueError:
        return "a malformed address"


def _plain(text: object) -> str:
    """Return a text that others may have written, fit for a line of a log."""
    return "".join(character if character.isprintable() else "?" for character in str(text)[:200])


def _prepare() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()

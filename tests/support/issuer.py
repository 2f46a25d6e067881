"""A real issuer of tokens for tests: discovery document, key set and tokens over HTTP, and every way to get them wrong.

    with Issuer() as issuer:
        server.push_ok({"auth_config.py": issuer.auth_config(), …})
        token = issuer.token("alice", name="Alice")

Pages of a browser get theirs from `{issuer.url}/token?sub=alice&expires_in_s=60`.

It answers in a thread of the test process. A client that holds on to the interpreter while it waits (the official one for
Python does) stops it from answering: run such a client in a process of its own.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import get_algorithm_by_name

from convexpy.protocol.app_description import ProviderDescription

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/.well-known/jwks.json"
PREFIXES = {"RS256": "rs", "ES256": "es", "EdDSA": "ed"}


@functools.cache
def private_key(algorithm: str, number: int) -> Any:
    """Return the n-th key for an algorithm; made once in a test run, since RSA keys take long."""
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


def jwk_of(algorithm: str, key: Any, **members: Any) -> dict[str, Any]:
    """Return the public half of a key as a JWK."""
    return {**get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True), **members}


def b64(data: bytes) -> str:
    """Return bytes in base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: Mapping[str, Any], payload: bytes, key: Any) -> str:
    """Return a token with any header and payload; HS256 takes bytes as its key, `none` takes any key."""
    start = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
    algorithm = str(header.get("alg"))
    if algorithm == "HS256":
        signature = hmac.new(key, start.encode(), hashlib.sha256).digest()
    elif algorithm in PREFIXES:
        signature = get_algorithm_by_name(algorithm).sign(start.encode(), key)
    else:
        signature = b""
    return f"{start}.{b64(signature)}"


class Issuer:
    """An issuer on a port of its own, in a thread of the test process. What it answers can be changed at any time."""

    def __init__(
        self,
        application_id: str = "convex",
        algorithm: str = "RS256",
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.application_id = application_id
        self.algorithm = algorithm
        self.requests: list[str] = []
        """The paths that were asked for."""
        self.status = 200
        """Answer everything with this status."""
        self.content_type = "application/json"
        self.headers: dict[str, str] = {}
        """Further headers of each answer."""
        self.padding = 0
        """Make the key set larger by so many bytes."""
        self.redirects: dict[str, str] = {}
        """Path → where to redirect to."""
        self.discovery: dict[str, Any] = {}
        """Members of the discovery document that replace the right ones."""
        self.keys: dict[str, Any] | None = None
        """A key set to publish in place of the right one."""
        self._generation = 0
        self._kept = [0]
        self._open = threading.Event()
        self._open.set()
        self._port, self._tls, self._host = port, tls, host
        self._server: _Server | None = None
        self._thread = threading.Thread(target=self._serve)
        self.url = f"{'http' if tls is None else 'https'}://{host}:{port or 9}"
        """Where it is, once it has started; before that, an address where nobody answers."""

    # Life

    def start(self) -> Issuer:
        """Begin to answer."""
        self._server = _Server(("127.0.0.1", self._port), _Handler)
        self._server.issuer = self
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "http" if self._tls is None else "https"
        self.url = f"{scheme}://{self._host}:{self._server.server_address[1]}"
        self._thread.start()
        return self

    def _serve(self) -> None:
        assert self._server is not None
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        """End; may be called twice."""
        self._open.set()
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Issuer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # What it answers

    @property
    def fetches(self) -> int:
        """How often the key set was asked for."""
        return sum(path == KEYS for path in self.requests)

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Let requests wait, unanswered, for as long as the block lasts."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def rotate(self, *, keep: bool = False) -> None:
        """Sign with new keys from now on; the old ones leave the key set unless they are kept."""
        self._generation += 1
        self._kept = [*self._kept, self._generation] if keep else [self._generation]

    def key_set(self) -> dict[str, Any]:
        """Return the key set as it is published."""
        if self.keys is not None:
            return self.keys
        return {
            "keys": [
                jwk_of(algorithm, private_key(algorithm, n), kid=f"{prefix}-{n}", use="sig", alg=algorithm)
                for n in self._kept
                for algorithm, prefix in PREFIXES.items()
            ]
        }

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer to a request."""
        parts = urlsplit(path)
        if parts.path == "/token":
            asked: dict[str, Any] = {name: values[0] for name, values in parse_qs(parts.query).items()}
            life = float(asked.pop("expires_in_s", 60))
            token = self.token(asked.pop("sub", "user"), expires_in_s=life, **asked)
            return 200, {"Content-Type": "text/plain", "Access-Control-Allow-Origin": "*"}, token.encode()
        self.requests.append(path)
        self._open.wait(30)
        if parts.path in self.redirects:
            return 302, {"Location": self.redirects[parts.path]}, b""
        headers = {"Content-Type": self.content_type, **self.headers}
        if parts.path == DISCOVERY:
            document = {"issuer": self.url, "jwks_uri": self.url + KEYS, **self.discovery}
            return self.status, headers, json.dumps(document).encode()
        if parts.path == KEYS:
            return self.status, headers, json.dumps(self.key_set()).encode() + b" " * self.padding
        if parts.path == "/elsewhere.json":
            keys = {"keys": [jwk_of("RS256", private_key("RS256", 99), kid="rs-0")]}
            return 200, headers, json.dumps(keys).encode()
        return 404, headers, b"{}"

    # What an app writes down

    def provider(self) -> ProviderDescription:
        """Return this issuer as an OpenID Connect provider."""
        return ProviderDescription(domain=self.url, application_id=self.application_id)

    def custom_provider(self, algorithm: str | None = None, **members: Any) -> ProviderDescription:
        """Return this issuer as a customJwt provider."""
        described = ProviderDescription(
            type="customJwt",
            issuer=self.url,
            application_id=self.application_id,
            jwks=self.url + KEYS,
            algorithm=algorithm or self.algorithm,
        )
        return msgspec.structs.replace(described, **members)

    def auth_config(self) -> str:
        """Return an `auth_config.py` that trusts this issuer."""
        return (
            "from convexpy import auth_config, oidc\n\n"
            f"auth = auth_config(providers=[oidc(domain={self.url!r}, application_id={self.application_id!r})])\n"
        )

    # Tokens

    def claims(self, sub: str | None = "user", *, expires_in_s: float = 60, **claims: Any) -> dict[str, Any]:
        """Return the claims of a valid token; a claim given as None is left out."""
        now = int(time.time())
        found = {
            "iss": self.url, "sub": sub, "aud": self.application_id,
            "iat": now, "exp": now + expires_in_s, **claims,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}

    def token(
        self,
        sub: str | None = "user",
        *,
        algorithm: str | None = None,
        header: Mapping[str, Any] | None = None,
        key: Any = None,
        expires_in_s: float = 60,
        **claims: Any,
    ) -> str:
        """Return a token, signed with the present key of the algorithm; header members given as None are left out."""
        algorithm = algorithm or self.algorithm
        full = {
            "alg": algorithm,
            "typ": "JWT",
            "kid": f"{PREFIXES[algorithm]}-{self._generation}",
            **(header or {}),
        }
        full = {name: value for name, value in full.items() if value is not None}
        payload = json.dumps(self.claims(sub, expires_in_s=expires_in_s, **claims)).encode()
        return signed(full, payload, key or private_key(algorithm, self._generation))

    def clerk_token(self, sub: str = "user_29w83sxmDNGwOuEthce5gg56FcC", **claims: Any) -> str:
        """Return a token as Clerk's JWT template named `convex` makes it."""
        now = int(time.time())
        return self.token(
            sub,
            header={"cat": "cl_B7d4PD222AAA"},
            **{
                "azp": "http://localhost:5173", "jti": "10db7f531a90cb2faea4", "nbf": now - 5,
                "name": "Ada Lovelace", "nickname": "ada", "given_name": "Ada", "family_name": "Lovelace",
                "email": "ada@example.com", "email_verified": True, "phone_number": None,
                "phone_number_verified": False, "picture": "https://img.clerk.com/ada.png",
                "updated_at": 1_700_000_000, **claims,
            },
        )  # fmt: skip

    def forged(self) -> dict[str, str]:
        """Return tokens that must all be refused, by what is wrong with them; they stay so for half an hour."""
        token = functools.partial(self.token, expires_in_s=3600)
        later = int(time.time()) + 1800
        good = token()
        start, payload, signature = good.split(".")
        kid = f"{PREFIXES[self.algorithm]}-{self._generation}"
        other = private_key(self.algorithm, 99)
        public = private_key("RS256", self._generation).public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        claims = json.dumps(self.claims(expires_in_s=3600)).encode()
        changed = b64(json.dumps(self.claims("admin", expires_in_s=3600)).encode())
        foreign = "ES256" if self.algorithm == "RS256" else "RS256"
        return {
            "algorithm none": signed({"alg": "none", "kid": kid}, claims, None),
            "algorithm None": signed({"alg": "None", "kid": kid}, claims, None),
            "no algorithm": signed({"kid": kid}, claims, None),
            "HS256 with the public key": signed({"alg": "HS256", "kid": f"rs-{self._generation}"}, claims, pem),
            "unknown key id": token(header={"kid": "nobody"}),
            "unknown issuer": token(iss="https://elsewhere.example.com"),
            "no issuer": token(iss=None),
            "other audience": token(aud="another-app"),
            "no audience": token(aud=None),
            "several audiences": token(aud=[self.application_id, "another-app"]),
            "expired": token(expires_in_s=-60),
            "no expiry": token(exp=None),
            "expiry is text": token(exp="tomorrow"),
            "not yet valid": token(nbf=later),
            "issued in the future": token(iat=later),
            "no subject": token(sub=None),
            "truncated": good[:-2],
            "unsigned": f"{start}.{payload}.",
            "payload changed": f"{start}.{changed}.{signature}",
            "huge": token(filler="x" * 20_000),
            "wrong key type": token(algorithm=foreign, header={"kid": kid}),
            "signature of another key": token(key=other),
            "embedded key": token(key=other, header={"jwk": jwk_of(self.algorithm, other)}),
            "key set elsewhere": token(key=other, header={"jku": f"{self.url}/elsewhere.json"}),
            "critical extension": token(header={"crit": ["b64"], "b64": False}),
            "empty": "",
            "garbage": "garbage",
            "five parts": f"{good}.{payload}.{signature}",
            "payload is not JSON": signed({"alg": self.algorithm, "kid": kid}, b"\xff\xfe{", private_key(self.algorithm, 0)),
            "payload is a list": signed({"alg": self.algorithm, "kid": kid}, b"[]", private_key(self.algorithm, 0)),
            "not base64": f"{start}.{payload}.{signature[:-4]}!*!*",
            "padded": f"{start}.{payload}.{signature}==",
        }  # fmt: skip


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    issuer: Issuer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet: clients that hang up, or refuse the certificate, are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, headers, body = self.server.issuer.answer(self.path)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

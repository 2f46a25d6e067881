"""A real OpenID Connect provider, and a GitHub, for tests: they check the client's secret and PKCE, and sign ID tokens.

    with OidcProvider() as provider:
        provider.person = {"sub": "1", "email": "ada@example.com", "email_verified": True}

What is wrong with an ID token is set in `wrong`: claims that replace the right ones, `None` to leave one out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import jwt
from support.issuer import jwk_of, private_key

CLIENT_ID, CLIENT_SECRET = "the app/1", "s3cret+&="


class OidcProvider:
    """A provider on a port of its own, in a thread of the test process. Whoever comes is `person`, without a page."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {
            "sub": "u1",
            "email": "Ada@example.com",
            "email_verified": True,
            "name": "Ada",
        }
        self.github_id = 77
        self.emails: list[dict[str, Any]] = [{"email": "ada@example.com", "primary": True, "verified": True}]
        self.wrong: dict[str, Any] = {}
        self.signing_key: Any = private_key("ES256", 41)
        self.methods = ["client_secret_basic"]
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._post(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> OidcProvider:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            self._answer(
                handler,
                {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "jwks_uri": f"{self.url}/keys",
                    "token_endpoint_auth_methods_supported": self.methods,
                },
            )
        elif parts.path == "/keys":
            key = jwk_of("ES256", private_key("ES256", 41), kid="k1", alg="ES256", use="sig")
            self._answer(handler, {"keys": [key]})
        elif parts.path in ("/authorize", "/login/oauth/authorize"):
            self.asked.append(given)
            code = secrets.token_urlsafe()
            self._codes[code] = given
            back = f"{given['redirect_uri']}?{urlencode({'code': code, 'state': given['state']})}"
            handler.send_response(302)
            handler.send_header("Location", back)
            handler.end_headers()
        elif (
            parts.path in ("/user", "/user/emails")
            and handler.headers["Authorization"] == "Bearer github-token"
        ):
            avatar = "https://example.com/ada.png"
            user = {"id": self.github_id, "login": "ada", "name": None, "avatar_url": avatar}
            self._answer(handler, user if parts.path == "/user" else self.emails)
        else:
            self._answer(handler, {"message": "not here"}, 401)

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        given = {name: values[0] for name, values in parse_qs(body).items()}
        asked = self._codes.pop(given.get("code", ""), None)  # once
        if asked is None or asked["redirect_uri"] != given["redirect_uri"]:
            self._answer(handler, {"error": "invalid_grant"}, 400)
            return
        challenge = hashlib.sha256(given["code_verifier"].encode()).digest()
        proved = base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() == asked["code_challenge"]
        if not proved or self._client(handler, given) != (CLIENT_ID, CLIENT_SECRET):
            self._answer(handler, {"error": "invalid_client"}, 401)
            return
        if handler.path == "/login/oauth/access_token":
            self._answer(handler, {"access_token": "github-token", "token_type": "bearer"})
            return
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        whole = {**claims, **self.person, **self.wrong}
        whole = {name: claim for name, claim in whole.items() if claim is not None}
        token = jwt.encode(whole, self.signing_key, algorithm="ES256", headers={"kid": "k1"})
        self._answer(handler, {"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _client(self, handler: BaseHTTPRequestHandler, given: dict[str, str]) -> tuple[str, str]:
        basic = handler.headers.get("Authorization", "")
        if basic.startswith("Basic "):
            name, _, secret = base64.b64decode(basic[6:]).decode().partition(":")
            return unquote(name), unquote(secret)
        return given.get("client_id", ""), given.get("client_secret", "")

    def _answer(self, handler: BaseHTTPRequestHandler, value: Any, status: int = 200) -> None:
        content = json.dumps(value).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

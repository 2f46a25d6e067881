"""Tokens of upload URLs."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from convexpy.errors import RequestError
from convexpy.protocol.upload_tokens import UPLOAD_TOKEN_MS, check_upload_token, upload_token, upload_url

NOW = 1_800_000_000_000


def code_of(token: str | None, *, key: bytes = b"s", name: str = "n", now_ms: int = NOW) -> str:
    try:
        check_upload_token(token, key, name, now_ms)
    except RequestError as error:
        return error.code if error.status == 401 else "wrong status"
    return ""


@given(st.integers(-60_000, UPLOAD_TOKEN_MS))
def test_a_token_lasts_an_hour(age_ms: int) -> None:
    assert code_of(upload_token(b"s", "n", NOW - age_ms)) == ""


@pytest.mark.parametrize("age_ms", [UPLOAD_TOKEN_MS + 1, 10 * UPLOAD_TOKEN_MS, -60_001])
def test_not_longer(age_ms: int) -> None:
    assert code_of(upload_token(b"s", "n", NOW - age_ms)) == "StorageTokenExpired"


@given(st.data())
def test_a_changed_token_opens_nothing(data: st.DataObject) -> None:
    token = upload_token(b"s", "n", NOW)
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters().filter(lambda other: other != token[place]))
    changed = token[:place] + character + token[place + 1 :]
    assert code_of(changed) == "StorageTokenInvalid"


@given(st.text())
def test_made_up_tokens_open_nothing(text: str) -> None:
    assert code_of(text) == "StorageTokenInvalid"


def test_tokens_are_of_one_deployment() -> None:
    token = upload_token(b"s", "n", NOW)
    assert code_of(None) == code_of(token, key=b"t") == code_of(token, name="m") == "StorageTokenInvalid"
    assert upload_url("https://x", b"s", "n", NOW) == f"https://x/api/storage/upload?token={token}"

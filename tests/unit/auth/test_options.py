"""Options that make no sense are refused where they are written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from convexpy.auth import Auth, EmailCode, Password, smtp


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"token_lifetime": timedelta(days=2)}, "token_lifetime is at most 1 day"),
        ({"idle_lifetime": timedelta(0)}, "longer than zero"),
        ({"providers": [EmailCode(), EmailCode()]}, "two providers have one id"),
    ],
    ids=["token", "idle", "twice"],
)
def test_auth_refuses(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Auth(**{"providers": [EmailCode()], **options})


@pytest.mark.parametrize("length", [7, 257])
def test_a_password_has_a_length_that_makes_sense(length: int) -> None:
    with pytest.raises(ValueError, match="length_min is 8 to 256"):
        Password(length_min=length)


@pytest.mark.parametrize("url", ["", "mail.example.com", "http://mail.example.com", "smtp://"])
def test_a_mail_server_is_an_address(url: str) -> None:
    with pytest.raises(ValueError, match="smtp://user:password@host:587"):
        smtp(url, sender="a@example.com")

"""What the server knows of functions: paths, routes and who may call what."""

from __future__ import annotations

import pytest

from convexpy.engine.registry import canonical_path
from convexpy.errors import RequestError


@pytest.mark.parametrize(
    ("spelled", "path"),
    [
        ("messages:list", "messages:list"),
        ("messages.js:list", "messages:list"),
        ("messages.py:list", "messages:list"),
        ("messages", "messages:default"),
        ("a/b/c:d", "a/b/c:d"),
    ],
)
def test_a_path_has_one_form(spelled: str, path: str) -> None:
    assert canonical_path(spelled) == path


@pytest.mark.parametrize(
    "spelled", ["", ":", "a:b:c d", "../a:b", "a/../b:c", "a b:c", "a:1", "a" * 600 + ":b", "a:é"]
)
def test_what_cannot_be_a_path_is_refused(spelled: str) -> None:
    with pytest.raises(RequestError) as refused:
        canonical_path(spelled)
    assert refused.value.code == "BadConvexFunctionIdentifier"

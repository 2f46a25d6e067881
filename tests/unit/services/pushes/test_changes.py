"""What a push warns of."""

from __future__ import annotations

from typing import Any

import pytest

from convexpy.engine.registry import FunctionRegistry
from convexpy.services.pushes.changes import describe_changes


@pytest.mark.parametrize(("audience", "warned"), [(None, True), ("my-app", False)])
def test_a_custom_jwt_without_an_audience_is_warned_of(audience: str | None, warned: bool) -> None:
    provider: dict[str, Any] = {"type": "customJwt", "issuer": "https://i.example", "applicationID": audience}
    empty = FunctionRegistry().description
    warnings = describe_changes(empty, {**empty, "auth": [provider]}, {}, {})["warnings"]
    assert any("custom_jwt of https://i.example has no application_id" in text for text in warnings) is warned

"""What a push warns of."""

from __future__ import annotations

import pytest

from convexpy.protocol.app_description import AppDescription, ProviderDescription
from convexpy.schema.changes import app_changes
from convexpy.services.pushes.changes import describe_changes


@pytest.mark.parametrize(("audience", "warned"), [(None, True), ("my-app", False)])
def test_a_custom_jwt_without_an_audience_is_warned_of(audience: str | None, warned: bool) -> None:
    provider = ProviderDescription(type="customJwt", issuer="https://i.example", application_id=audience)
    app = AppDescription(auth=(provider,))
    warnings = describe_changes(app_changes(AppDescription(), app), app, {}, {})["warnings"]
    assert any("custom_jwt of https://i.example has no application_id" in text for text in warnings) is warned

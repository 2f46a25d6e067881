"""Issuers of the examples in the Python reference."""

# example: auth_config oidc custom_jwt AuthConfig AuthProvider
from convexpy import auth_config, custom_jwt, oidc

auth = auth_config(providers=[
    oidc(domain="https://accounts.example.com", application_id="my-app"),
    custom_jwt(
        issuer="https://auth.example.com",
        jwks="https://auth.example.com/keys.json",
        algorithm="ES256",
        application_id="my-app",
    ),
])
# end

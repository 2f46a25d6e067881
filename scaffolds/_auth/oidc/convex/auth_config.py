"""Whose tokens the deployment accepts."""

from convexpy import auth_config, oidc

auth = auth_config(providers=[oidc(domain="{{issuer}}", application_id="{{application_id}}")])

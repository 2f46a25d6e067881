"""Whose tokens the deployment accepts: those of a Clerk application.

The variable is the address in Clerk's JWT template "convex": `convexpy env set CLERK_JWT_ISSUER_DOMAIN https://…`.
"""

import os

from convexpy import auth_config, oidc

_domain = os.environ.get("CLERK_JWT_ISSUER_DOMAIN")

auth = auth_config(providers=[oidc(domain=_domain, application_id="convex")] if _domain else [])

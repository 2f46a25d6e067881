"""HTTP actions: what OAuth providers call, and the keys that verify tokens."""

from convexpy import http_router

from .auth import auth

http = http_router()
auth.add_routes(http)

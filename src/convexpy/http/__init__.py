"""HTTP and WebSocket front of a deployment: routes, CORS, status codes; no rules of its own."""

from convexpy.http.app import ApiApp, SiteApp

__all__ = ["ApiApp", "SiteApp"]

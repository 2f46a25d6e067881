"""HTTP and WebSocket front of a deployment: routes, CORS, status codes; no rules of its own."""

from convexpy.http.app import ApiApp as ApiApp
from convexpy.http.site import SiteApp as SiteApp

"""Routes of the site origin: a webhook that posts a message, and a health check."""

import hmac
import os

from convexpy import JSONResponse, Request, Response, http_router

from . import messages
from ._generated.server import ActionCtx
from .lib.sign_in import NAME_IS_ENOUGH

http = http_router()


@http.route("/post", method="POST")
async def post(ctx: ActionCtx, request: Request) -> Response:
    """Post a message: `{"channel": …, "author": …, "body": …}`, with the header `x-webhook-secret`."""
    if not _is_allowed(request.headers.get("x-webhook-secret", "")):
        return JSONResponse({"error": "x-webhook-secret is missing or wrong"}, status_code=403)
    try:
        sent = await request.json()
        fields = {name: sent[name] for name in ("channel", "author", "body")}
    except (ValueError, KeyError, TypeError):
        return JSONResponse({"error": "send JSON with channel, author and body"}, status_code=400)
    return JSONResponse({"id": await ctx.run_mutation(messages.post, fields)})


@http.route("/health", method="GET")
async def health(ctx: ActionCtx, request: Request) -> Response:
    """Whether functions run."""
    return JSONResponse({"status": "ok"})


def _is_allowed(secret: str) -> bool:
    """Compare with the variable WEBHOOK_SECRET. Without one the route is as open as the app itself."""
    wanted = os.environ.get("WEBHOOK_SECRET")
    if not wanted:
        return NAME_IS_ENOUGH
    return hmac.compare_digest(secret.encode(), wanted.encode())

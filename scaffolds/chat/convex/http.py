"""Routes of the site origin: a webhook that posts a message, and a health check."""

from convexpy import JSONResponse, Request, Response, http_router

from . import messages
from ._generated.server import ActionCtx

http = http_router()


@http.route("/post", method="POST")
async def post(ctx: ActionCtx, request: Request) -> Response:
    """Post a message: `{"channel": …, "author": …, "body": …}`."""
    try:
        sent = await request.json()
        fields = {name: sent[name] for name in ("channel", "author", "body")}
    except (ValueError, KeyError, TypeError):
        return JSONResponse({"error": "send JSON with channel, author and body"}, status_code=400)
    return JSONResponse({"id": await ctx.run_mutation(messages.send, fields)})


@http.route("/health", method="GET")
async def health(ctx: ActionCtx, request: Request) -> Response:
    """Whether functions run."""
    return JSONResponse({"status": "ok"})

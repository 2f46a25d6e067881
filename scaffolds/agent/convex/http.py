"""Routes of the site origin: webhooks that prove who sends them, an upload from the browser, a health check."""

import hmac
import json
import os
from typing import Any

from convexpy import (
    ArgumentError,
    ConvexError,
    JSONResponse,
    PlainTextResponse,
    Request,
    Response,
    http_router,
)

from . import artifacts, sessions, users
from ._generated.server import ActionCtx

FIELDS = ("sessionId", "status", "result", "error")

http = http_router()
http.cors("/upload", origins=[os.environ.get("CLIENT_ORIGIN", "http://127.0.0.1:8000")],
          headers=["content-type", "authorization"], max_age=86_400)


@http.route("/health", method="GET")
async def health(ctx: ActionCtx, request: Request) -> Response:
    """Whether functions run."""
    return JSONResponse({"status": "ok"})


@http.route("/webhook/sandbox", method="POST")
async def sandbox(ctx: ActionCtx, request: Request) -> Response:
    """The result of a run that went on elsewhere: `{"sessionId", "status", "result"?, "error"?}`, with a bearer token."""
    expected = os.environ.get("WEBHOOK_SECRET", "")
    given = request.headers.get("authorization", "")
    if not expected or not hmac.compare_digest(given.encode(), f"Bearer {expected}".encode()):
        return PlainTextResponse("Unauthorized", status_code=401)
    try:
        sent: dict[str, Any] = await request.json()
        fields: dict[str, Any] = {name: sent[name] for name in FIELDS if name in sent}
        applied = await ctx.run_mutation(sessions.finish, fields)
    except (ValueError, ArgumentError) as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    return JSONResponse({"applied": applied})


@http.route("/webhook/clerk", method="POST")
async def clerk(ctx: ActionCtx, request: Request) -> Response:
    """Events of Clerk about its users, signed as Svix does."""
    from svix.webhooks import Webhook, WebhookVerificationError

    secret = os.environ.get("CLERK_WEBHOOK_SECRET")
    if not secret:
        return PlainTextResponse("CLERK_WEBHOOK_SECRET is not set", status_code=503)
    try:
        body = await request.body()
        Webhook(secret).verify(body, dict(request.headers))
    except WebhookVerificationError:
        return PlainTextResponse("Invalid signature", status_code=400)
    event: Any = json.loads(body)
    if event["type"] in ("user.created", "user.updated"):
        person = event["data"]
        names = [name for name in (person.get("first_name"), person.get("last_name")) if name]
        addresses = person.get("email_addresses") or [{}]
        issuer = os.environ.get("CLERK_JWT_ISSUER_DOMAIN", "https://clerk.invalid")
        await ctx.run_mutation(
            users.save,
            tokenIdentifier=f"{issuer}|{person['id']}",
            name=" ".join(names) or person["id"],
            email=addresses[0].get("email_address"),
        )
    return Response(status_code=200)


@http.route("/upload", method="POST")
async def upload(ctx: ActionCtx, request: Request) -> Response:
    """Store the body as a file of a session (`?sessionId=…&filename=…`) that the caller may see."""
    session_id, filename = request.query_params.get("sessionId", ""), request.query_params.get("filename", "upload")
    try:
        session = await ctx.run_query(sessions.get, {"sessionId": session_id})
    except (ArgumentError, ConvexError):
        session = None
    if session is None:
        return JSONResponse({"error": "there is no such session for you"}, status_code=404)
    stored = await ctx.storage.store(request.stream(), content_type=request.headers.get("content-type"))
    await ctx.run_mutation(artifacts.keep, sessionId=session["_id"], storageId=stored, filename=filename)
    return JSONResponse({"storageId": stored})

"""Functions in OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convexpy.protocol.app_description import AppDescription, FunctionDescription, LiveApp


def openapi(app: AppDescription, url: str, title: str) -> dict[str, Any]:
    """Return an OpenAPI 3.1 document of the public functions, each called by `POST /api/run/{module}/{function}`."""
    public = [each for each in app.functions if each.visibility == "public"]
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": str(app.version if isinstance(app, LiveApp) else 0)},
        "servers": [{"url": url}],
        "paths": {f"/api/run/{each.path.replace(':', '/')}": {"post": _operation(each)} for each in public},
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Failure": _FAILURE},
        },
        "security": [{}, {"bearer": []}],
    }


_FAILURE: dict[str, Any] = {
    "type": "object",
    "required": ["status", "errorMessage"],
    "properties": {
        "status": {"const": "error"},
        "errorMessage": {"type": "string"},
        "errorData": {},
        "logLines": {"type": "array"},
    },
}


def _operation(each: FunctionDescription) -> dict[str, Any]:
    success = {
        "type": "object",
        "required": ["status", "value"],
        "properties": {
            "status": {"const": "success"},
            "value": json_schema(each.returns or {"type": "any"}),
            "logLines": {"type": "array"},
        },
    }
    body = {
        "type": "object",
        "required": ["args"],
        "properties": {"args": json_schema(each.args), "format": {"const": "json"}},
    }
    answer = {"oneOf": [success, {"$ref": "#/components/schemas/Failure"}]}
    return {
        "operationId": each.path.replace("/", ".").replace(":", "."),
        "summary": each.doc or f"{each.kind} {each.path}",
        "tags": [each.kind],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "what it returned", "content": {"application/json": {"schema": answer}}}
        },
    }


_PLAIN: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "number": {"type": "number"},
    "bigint": {"type": "string", "description": "a 64-bit integer in decimal digits"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
}


def json_schema(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a validator, for values in the format `json`."""
    kind: str = described["type"]
    if kind == "number" and described.get("int"):
        return {"type": "integer"}
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if kind == "id":
        return {"type": "string", "description": f"id of a document in {described['tableName']}"}
    if kind == "literal":
        return {"const": described["value"]}
    if kind == "array":
        return {"type": "array", "items": json_schema(described["value"])}
    if kind == "union":
        return {"anyOf": [json_schema(member) for member in described["value"]]}
    if kind == "record":
        return {"type": "object", "additionalProperties": json_schema(described["values"]["fieldType"])}
    if kind == "object":
        fields = described["value"]
        return {
            "type": "object",
            "properties": {name: json_schema(field["fieldType"]) for name, field in fields.items()},
            "required": [name for name, field in fields.items() if not field.get("optional")],
            "additionalProperties": False,
        }
    return {}

"""Convex values: canonical form, order, size, JSON, index keys, document ids, validators.

Apps use `compare`, `size`, `to_json` and `from_json`; the rest serves the rooms above.
"""

from convexpy.values._ids import TABLE_NUMBER_MAX, decode_id, encode_id, new_internal_id
from convexpy.values._json import (
    decode_document,
    decode_export,
    decode_wire,
    encode_clean,
    encode_document,
    encode_export,
    encode_wire,
    from_json,
    to_json,
)
from convexpy.values._keys import decode_key, encode_key, encode_value, key_boundaries, prefix_successor
from convexpy.values._measure import (
    check_document_limits,
    check_value_size,
    compare,
    nesting,
    size,
    size_of,
)
from convexpy.values._normalize import normalize, normalize_patch
from convexpy.values._types import (
    UNSET,
    Document,
    Duration,
    Int64,
    ModelInstance,
    Moment,
    ObjectValue,
    ScheduledFunctionId,
    StorageId,
    from_ms,
    moment_ms,
    span_ms,
    to_ms,
)

__all__ = [
    "TABLE_NUMBER_MAX",
    "UNSET",
    "Document",
    "Duration",
    "Int64",
    "ModelInstance",
    "Moment",
    "ObjectValue",
    "ScheduledFunctionId",
    "StorageId",
    "check_document_limits",
    "check_value_size",
    "compare",
    "decode_document",
    "decode_export",
    "decode_id",
    "decode_key",
    "decode_wire",
    "encode_clean",
    "encode_document",
    "encode_export",
    "encode_id",
    "encode_key",
    "encode_value",
    "encode_wire",
    "from_json",
    "from_ms",
    "key_boundaries",
    "moment_ms",
    "nesting",
    "new_internal_id",
    "normalize",
    "normalize_patch",
    "prefix_successor",
    "size",
    "size_of",
    "span_ms",
    "to_json",
    "to_ms",
]

"""Convex values: canonical form, order, size, JSON, index keys, document ids, validators.

Apps use `compare`, `size`, `to_json` and `from_json`; the rest serves the rooms above.
"""

from convexpy.values._annotations import (
    argument_name as argument_name,
    hints_of as hints_of,
    validator_of as validator_of,
)
from convexpy.values._builders import (
    ArgumentName as ArgumentName,
    load_validator as load_validator,
    pagination_opts as pagination_opts,
    pagination_result as pagination_result,
)
from convexpy.values._compound import (
    ArrayValidator as ArrayValidator,
    ObjectValidator as ObjectValidator,
    OptionalValidator as OptionalValidator,
    RecordValidator as RecordValidator,
    UnionValidator as UnionValidator,
    one_mapping as one_mapping,
)
from convexpy.values._ids import (
    TABLE_NUMBER_MAX as TABLE_NUMBER_MAX,
    decode_id as decode_id,
    encode_id as encode_id,
    new_internal_id as new_internal_id,
)
from convexpy.values._json import (
    decode_document as decode_document,
    decode_export as decode_export,
    decode_wire as decode_wire,
    encode_clean as encode_clean,
    encode_document as encode_document,
    encode_export as encode_export,
    encode_result as encode_result,
    encode_wire as encode_wire,
    from_json as from_json,
    to_json as to_json,
)
from convexpy.values._keys import (
    decode_key as decode_key,
    encode_key as encode_key,
    encode_value as encode_value,
    key_boundaries as key_boundaries,
    prefix_successor as prefix_successor,
)
from convexpy.values._measure import (
    check_document_limits as check_document_limits,
    check_value_size as check_value_size,
    compare as compare,
    nesting as nesting,
    size as size,
    size_of as size_of,
)
from convexpy.values._namespace import v as v
from convexpy.values._normalize import (
    canonical_number as canonical_number,
    normalize as normalize,
    normalize_patch as normalize_patch,
)
from convexpy.values._pagination import (
    PageStatus as PageStatus,
    PaginationOptions as PaginationOptions,
    PaginationResult as PaginationResult,
)
from convexpy.values._show import show as show
from convexpy.values._types import (
    UNSET as UNSET,
    ConvexObject as ConvexObject,
    Document as Document,
    Duration as Duration,
    Int64 as Int64,
    ModelInstance as ModelInstance,
    Moment as Moment,
    ObjectValue as ObjectValue,
    ScheduledFunctionId as ScheduledFunctionId,
    StorageId as StorageId,
    from_ms as from_ms,
    moment_ms as moment_ms,
    span_ms as span_ms,
    to_ms as to_ms,
)
from convexpy.values._validator import (
    ANY as ANY,
    Convert as Convert,
    IdValidator as IdValidator,
    LiteralValidator as LiteralValidator,
    ScalarValidator as ScalarValidator,
    TableNumbers as TableNumbers,
    Validator as Validator,
    Validators as Validators,
    official_json as official_json,
    without_names as without_names,
)

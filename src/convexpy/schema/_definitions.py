"""Tables and their indexes, as an app defines them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn, overload

from convexpy.errors import ProjectError, SourceLocation, caller_location
from convexpy.limits import IDENTIFIER_LENGTH_MAX, INDEX_FIELDS_MAX, INDEXES_PER_TABLE_MAX
from convexpy.protocol.app_description import (
    AnyIndex,
    IndexDescription,
    SearchIndexDescription,
    TableDescription,
    VectorIndexDescription,
)
from convexpy.values import (
    ANY,
    ObjectValidator,
    OptionalValidator,
    RecordValidator,
    ScalarValidator,
    UnionValidator,
    Validator,
    Validators,
    one_mapping,
    v,
)

BUILT_IN_INDEXES: Final = ("by_id", "by_creation_time")
FILTER_FIELDS_MAX: Final = 16
VECTOR_DIMENSIONS: Final = range(2, 4097)

_identifier = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


def is_identifier(name: object) -> bool:
    """Whether a table, index or declared field may have this name: a short identifier of ASCII."""
    return (
        isinstance(name, str)
        and _identifier(name) is not None
        and len(name) <= IDENTIFIER_LENGTH_MAX
        and name.strip("_") != ""
    )


class TableDefinition:
    """Immutable: each method returns a new definition."""

    __slots__ = ("_indexes", "location", "validator")

    def __init__(
        self, validator: Validator, indexes: tuple[AnyIndex, ...] = (), location: SourceLocation | None = None
    ) -> None:
        self.validator: Validator = validator
        self.location: SourceLocation | None = location
        self._indexes = indexes

    @property
    def indexes(self) -> tuple[IndexDescription, ...]:
        """The declared indexes over fields."""
        return tuple(each for each in self._indexes if isinstance(each, IndexDescription))

    @property
    def search_indexes(self) -> tuple[SearchIndexDescription, ...]:
        """The declared full text indexes."""
        return tuple(each for each in self._indexes if isinstance(each, SearchIndexDescription))

    @property
    def vector_indexes(self) -> tuple[VectorIndexDescription, ...]:
        """The declared vector indexes."""
        return tuple(each for each in self._indexes if isinstance(each, VectorIndexDescription))

    def index(self, name: str, fields: Sequence[str], /, *, staged: bool = False) -> TableDefinition:
        """Add an index; a staged one is built in the background and cannot be queried yet."""
        if isinstance(fields, str) or not fields:
            _fail(f"index {name!r} needs a list of fields, not {fields!r}")
        if len(fields) > INDEX_FIELDS_MAX:
            _fail(f"index {name!r} has {len(fields)} fields, at most {INDEX_FIELDS_MAX} are possible")
        for field in fields:
            if field in ("_id", "_creationTime"):
                _fail(
                    f"index {name!r} names {field!r}: every index ends with _creationTime and _id by itself"
                )
        return self._with(IndexDescription(name, tuple(fields), staged), fields)

    def search_index(
        self, name: str, /, *, search_field: str, filter_fields: Sequence[str] = (), staged: bool = False
    ) -> TableDefinition:
        """Add a full text index."""
        made = SearchIndexDescription(name, search_field, tuple(filter_fields), staged)
        return self._with(made, (search_field,), filter_fields)

    def vector_index(
        self,
        name: str,
        /,
        *,
        vector_field: str,
        dimensions: int,
        filter_fields: Sequence[str] = (),
        staged: bool = False,
    ) -> TableDefinition:
        """Add a vector index; the vectors have 2 to 4096 dimensions."""
        if dimensions not in VECTOR_DIMENSIONS:
            _fail(f"vector index {name!r} has {dimensions} dimensions, possible are 2 to 4096")
        made = VectorIndexDescription(name, vector_field, dimensions, tuple(filter_fields), staged)
        return self._with(made, (vector_field,), filter_fields)

    def describe(self) -> TableDescription:
        """Return the table as data."""
        return TableDescription(
            self.validator.describe(), self.indexes, self.search_indexes, self.vector_indexes
        )

    def _with(self, made: AnyIndex, fields: Sequence[str], filters: Sequence[str] = ()) -> TableDefinition:
        if not is_identifier(made.name):
            _fail(f"{made.name!r} cannot be the name of an index")
        if made.name in BUILT_IN_INDEXES or made.name.startswith("_"):
            _fail(f"the index name {made.name!r} is reserved")
        if any(each.name == made.name for each in self._indexes):
            _fail(f"two indexes are called {made.name!r}")
        if len(self._indexes) == INDEXES_PER_TABLE_MAX:
            _fail(f"a table has at most {INDEXES_PER_TABLE_MAX} indexes")
        if len(filters) > FILTER_FIELDS_MAX:
            _fail(f"index {made.name!r} has {len(filters)} filter fields of {FILTER_FIELDS_MAX} possible")
        for group in (fields, filters):
            for field in group:
                if list(group).count(field) > 1:
                    _fail(f"index {made.name!r} names the field {field!r} twice")
                if field not in ("_id", "_creationTime") and not _has_path(self.validator, field):
                    _fail(f"index {made.name!r} names the field {field!r}, which the table does not have")
        return TableDefinition(self.validator, (*self._indexes, made), self.location)


@overload
def define_table(fields: Validators | Validator | type[Any], /) -> TableDefinition: ...
@overload
def define_table(**fields: Validator) -> TableDefinition: ...
def define_table(*given: Any, **fields: Validator) -> TableDefinition:
    """Define a table.

    From fields (one mapping or keywords), from a validator (`v.object`, a union of objects, `v.any()`), or
    from a TypedDict, dataclass or Struct.

    Raises:
        ProjectError: with the place of the call.
    """
    try:
        validator = _table_validator(given, fields)
        _check_table(validator)
    except ProjectError as error:
        raise ProjectError(error.message, hint=error.hint, location=caller_location()) from error
    return TableDefinition(validator, (), caller_location())


def _table_validator(given: tuple[Any, ...], fields: dict[str, Validator]) -> Validator:
    if len(given) == 1 and not isinstance(given[0], Mapping):
        if fields:
            raise TypeError("define_table takes one argument or keywords, not both")
        return given[0] if isinstance(given[0], Validator) else v.of(given[0])
    return ObjectValidator(one_mapping("define_table", given, fields))


def _check_table(validator: Validator) -> None:
    for part in _objects(validator):
        for name in part.fields:
            if name in ("_id", "_creationTime"):
                raise ProjectError(f"{name} is a system field: every document has it without being declared")
            if name.startswith("_") or not is_identifier(name):
                raise ProjectError(f"{name!r} cannot be the name of a table's field: use an identifier")


def _objects(validator: Validator) -> Iterator[ObjectValidator]:
    """Yield the objects that a table's documents may be; nothing for `v.any()`."""
    if isinstance(validator, ObjectValidator):
        yield validator
    elif isinstance(validator, UnionValidator) and validator.members:
        for each in validator.members:
            yield from _objects(each)
    elif validator != ANY:
        raise ProjectError(f"a table needs v.object, a union of objects or v.any(), not {validator!r}")


def _has_path(validator: Validator, path: str) -> bool:
    """Whether a value that fits may have a field at a dotted path."""
    if isinstance(validator, OptionalValidator):
        return _has_path(validator.inner, path)
    if isinstance(validator, UnionValidator):
        return any(_has_path(each, path) for each in validator.members)
    if isinstance(validator, ObjectValidator):
        name, _, rest = path.partition(".")
        found = validator.fields.get(name)
        return found is not None and (not rest or _has_path(found, rest))
    if isinstance(validator, RecordValidator):
        return True
    return isinstance(validator, ScalarValidator) and validator.kind == "any"


def _fail(message: str) -> NoReturn:
    raise ProjectError(message, location=caller_location())

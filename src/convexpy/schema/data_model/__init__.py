"""What a schema is called in Python: ids, documents and annotations, and the text of `data_model.py`.

Used where an app is loaded (its modules import these names) and where files for editors are written.
"""

from __future__ import annotations

from convexpy.schema.data_model._data_model import DataModel, Table
from convexpy.schema.data_model._layout import assignment, import_lines, literal, signature
from convexpy.schema.data_model._names import UniqueNames, is_name, pascal
from convexpy.schema.data_model._types import Annotations, Described, FieldType, typed_dict, words_of

__all__ = [
    "Annotations",
    "DataModel",
    "Described",
    "FieldType",
    "Table",
    "UniqueNames",
    "assignment",
    "import_lines",
    "is_name",
    "literal",
    "pascal",
    "signature",
    "typed_dict",
    "words_of",
]

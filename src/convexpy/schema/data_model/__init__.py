"""What a schema is called in Python: ids, documents and annotations, and the text of `data_model.py`.

Used where an app is loaded (its modules import these names) and where files for editors are written.
"""

from __future__ import annotations

from convexpy.schema.data_model._data_model import DataModel as DataModel, Table as Table
from convexpy.schema.data_model._layout import (
    assignment as assignment,
    import_lines as import_lines,
    literal as literal,
    signature as signature,
)
from convexpy.schema.data_model._names import UniqueNames as UniqueNames, is_name as is_name, pascal as pascal
from convexpy.schema.data_model._types import (
    Annotations as Annotations,
    Described as Described,
    FieldType as FieldType,
    typed_dict as typed_dict,
    words_of as words_of,
)

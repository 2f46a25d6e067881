"""Work on the data of a stopped server: `python -m convexpy.serve.data_tool WORK DIR`.

`check` and `salvage` are for data folders; `copy-out` copies the data of a folder to the database that the environment names,
`copy-in` that of the database to a folder. Lines of JSON on stdout: `{"progress": [what, count]}`, then one with `faults` and
`counted`, or `checkpointSeq keptRows lost setAside`, or `place tables documents replayRecords`, or `error` as the server itself
reports it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from convexpy.deployment.copying import Copied, copy_data
from convexpy.deployment.data_check import DataCheck
from convexpy.deployment.salvage import salvage
from convexpy.errors import Error
from convexpy.errors.exit_codes import exit_code
from convexpy.executors.base_process import DATABASE_VARIABLE
from convexpy.persistence import DatabaseOption, storage_refusal
from convexpy.runtime import PRIVATE_FOLDER

DATABASE_SCHEMA = "CONVEXPY_SERVE_DATABASE_SCHEMA"


def main(arguments: list[str]) -> int:
    """Do what the first argument says to the folder of the second; return the exit status."""
    work, folder = arguments[0], Path(arguments[1])
    os.umask(0o777 & ~PRIVATE_FOLDER)
    try:
        _send(**_WORK[work](folder))
    except Error as error:
        return _failed(error)
    except Exception as error:
        refusal = storage_refusal(error, folder)
        if refusal is None:
            raise
        return _failed(refusal)
    return 0


def _check(folder: Path) -> dict[str, Any]:
    found = DataCheck(folder, _progress)
    return {"faults": found.faults, "counted": found.counted}


def _salvage(folder: Path) -> dict[str, Any]:
    done = salvage(folder)
    return {
        "checkpointSeq": done.checkpoint_seq,
        "keptRows": done.kept_rows,
        "lost": done.lost,
        "setAside": done.set_aside,
    }


def _copy_out(folder: Path) -> dict[str, Any]:
    return _copied(copy_data(folder, _database(), _progress))


def _copy_in(folder: Path) -> dict[str, Any]:
    return _copied(copy_data(_database(), folder, _progress))


def _database() -> DatabaseOption:
    return DatabaseOption(os.environ[DATABASE_VARIABLE], os.environ.get(DATABASE_SCHEMA))


def _copied(done: Copied) -> dict[str, Any]:
    return {
        "place": done.place,
        "tables": done.tables,
        "documents": done.documents,
        "replayRecords": done.replay_records,
    }


def _progress(what: str, count: int) -> None:
    _send(progress=[what, count])


_WORK = {"check": _check, "salvage": _salvage, "copy-out": _copy_out, "copy-in": _copy_in}


def _failed(error: Error) -> int:
    status = exit_code(error)
    _send(error={**error.to_json(), "exitCode": status})
    return status


def _send(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

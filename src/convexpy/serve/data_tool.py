"""Checks or salvages the data folder of a stopped server: `python -m convexpy.serve.data_tool check|salvage DIR`.

Lines of JSON on stdout: `{"progress": [what, count]}`, then one with `faults` and `counted`, or `checkpointSeq keptRows lost
setAside`, or `error` as the server itself reports it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from convexpy.deployment.data_check import DataCheck
from convexpy.deployment.salvage import salvage
from convexpy.errors import Error
from convexpy.errors.exit_codes import exit_code
from convexpy.persistence import storage_refusal
from convexpy.runtime import PRIVATE_FOLDER


def main(arguments: list[str]) -> int:
    """Do what the first argument says to the folder of the second; return the exit status."""
    work, folder = arguments[0], Path(arguments[1])
    os.umask(0o777 & ~PRIVATE_FOLDER)
    try:
        _send(**(_check(folder) if work == "check" else _salvage(folder)))
    except Error as error:
        return _failed(error)
    except Exception as error:
        refusal = storage_refusal(error, folder)
        if refusal is None:
            raise
        return _failed(refusal)
    return 0


def _check(folder: Path) -> dict[str, Any]:
    found = DataCheck(folder, lambda what, count: _send(progress=[what, count]))
    return {"faults": found.faults, "counted": found.counted}


def _salvage(folder: Path) -> dict[str, Any]:
    done = salvage(folder)
    return {
        "checkpointSeq": done.checkpoint_seq,
        "keptRows": done.kept_rows,
        "lost": done.lost,
        "setAside": done.set_aside,
    }


def _failed(error: Error) -> int:
    status = exit_code(error)
    _send(error={**error.to_json(), "exitCode": status})
    return status


def _send(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

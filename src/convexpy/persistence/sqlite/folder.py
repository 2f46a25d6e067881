"""Opening a deployment's data folder: `lock`, `log.db`, `data.db`, and the reasons to refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from convexpy.limits import START_CHECK_BYTES_MAX
from convexpy.persistence import moved
from convexpy.persistence.folder_lock import FolderLock
from convexpy.persistence.interface import Node, StoreRefused
from convexpy.persistence.sqlite._filesystem import network_file_system
from convexpy.persistence.sqlite._structure import LargeFilesCheck, check_structure
from convexpy.persistence.sqlite.checkpoint import SqliteCheckpointWriter
from convexpy.persistence.sqlite.log import SqliteLogStore
from convexpy.persistence.sqlite.reader import SqliteCheckpointReader
from convexpy.persistence.sqlite.refusals import refusing


class DataFolder:
    """A data folder that this process owns, from construction until `close`.

    Steps (the order matters): lock, file system, log, checkpoint of the same deployment. The checkpoint is
    opened for writing here only to check it; whoever runs the checkpointer opens it again, with `writer`.

    Checksums find what is wrong in a record that is read, not that one is missing: that takes SQLite's own check of the
    whole file, which is done here for small files; large ones are in `unchecked`.

    Raises:
        StoreRefused: in use, on a network file system, of a newer format, or of another deployment.
        DataDamaged: the files are not what was written.
    """

    def __init__(self, folder: Path, *, allow_network_file_system: bool = False) -> None:
        self.folder = folder
        self.address: str = str(folder)
        self._closing: list[SqliteLogStore | SqliteCheckpointWriter] = []
        self.background_check: LargeFilesCheck | None = None
        with refusing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(folder)
            try:
                self._open(allow_network_file_system=allow_network_file_system)
            except BaseException:
                self.close()
                raise

    def _open(self, *, allow_network_file_system: bool) -> None:
        folder = self.folder
        moved.refuse(folder)
        if not allow_network_file_system:
            _refuse_network(folder)
        new_log = not (folder / "log.db").exists()
        if new_log and (folder / "data.db").exists():
            raise StoreRefused(
                f"{folder} has data.db but no log.db: it is half of a copy",
                hint="copy both files, of a stopped server; without log.db, `convexpy doctor --salvage --data DIR` goes "
                "on from data.db alone",
            )
        with refusing(folder / "log.db"):
            self.log: SqliteLogStore = SqliteLogStore(folder / "log.db")
        self._closing.append(self.log)
        self.deployment_id: str = self.log.deployment_id
        with refusing(folder / "data.db"):
            self.checkpoint: SqliteCheckpointWriter = SqliteCheckpointWriter(
                folder / "data.db", deployment_id=self.deployment_id
            )
        self._closing.append(self.checkpoint)
        self.unchecked: list[Path] = self._check_structure()
        if self.checkpoint.deployment_id != self.deployment_id:
            raise StoreRefused(
                f"log.db and data.db in {folder} belong to different deployments",
                code="DeploymentMismatch",
                hint="copy both files of one deployment; if log.db was lost, `convexpy doctor --salvage --data DIR` goes on "
                "from data.db alone",
            )

    def _check_structure(self) -> list[Path]:
        """Check the structure of small files; return those that are too large to wait for."""
        large: list[Path] = []
        for name in ("log.db", "data.db"):
            path = self.folder / name
            if path.stat().st_size > START_CHECK_BYTES_MAX:
                large.append(path)
            else:
                check_structure(path)
        return large

    def writer(self) -> SqliteCheckpointWriter:
        """Open the checkpoint for writing; the one that opening the folder needed is closed."""
        self.checkpoint.close()
        return open_checkpoint_writer(self.folder, deployment_id=self.deployment_id)

    def reader(self) -> SqliteCheckpointReader:
        """Open the checkpoint for reading."""
        return open_checkpoint_reader(self.folder)

    def nodes(self) -> list[Node]:
        """Return none: nobody shares it."""
        return []

    def watch(self, lost: Callable[[BaseException], None]) -> None:
        """Do nothing: the lock holds as long as this process does."""

    def check_in_background(self) -> None:
        """Begin to check the structure of the files that were too large to wait for; `close` ends it."""
        self.background_check = LargeFilesCheck(self.unchecked)

    def close(self) -> None:
        """Close the files, then give up the lock; may be called twice."""
        if self.background_check is not None:
            self.background_check.close()
        for store in reversed(self._closing):
            store.close()
        self._lock.release()


def _refuse_network(folder: Path) -> None:
    kind = network_file_system(folder)
    if kind is not None:
        raise StoreRefused(
            f"{folder} is on a network file system ({kind}), where SQLite cannot keep its promises",
            code="NetworkFileSystem",
            hint="use a local folder or a volume",
        )


def open_checkpoint_reader(folder: Path) -> SqliteCheckpointReader:
    """Open the checkpoint of a data folder for reading; the folder's owner must have opened it before."""
    return SqliteCheckpointReader(folder / "data.db")


def open_checkpoint_writer(folder: Path, *, deployment_id: str) -> SqliteCheckpointWriter:
    """Open the checkpoint of a data folder as its one writer."""
    return SqliteCheckpointWriter(folder / "data.db", deployment_id=deployment_id)

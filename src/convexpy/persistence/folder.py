"""Opening a deployment's data folder: `lock`, `log.db`, `data.db`, and the reasons to refuse."""

from __future__ import annotations

from pathlib import Path

from convexpy.persistence._filesystem import network_file_system
from convexpy.persistence._lock import FolderLock
from convexpy.persistence.interface import StoreRefused
from convexpy.persistence.sqlite import SqliteLogStore
from convexpy.persistence.sqlite_checkpoint import SqliteCheckpointReader, SqliteCheckpointWriter

__all__ = ["DataFolder", "open_checkpoint_reader", "open_checkpoint_writer"]


class DataFolder:
    """A data folder that this process owns, from construction until `close`.

    Steps (the order matters): lock, file system, log, checkpoint of the same deployment. The checkpoint is
    opened for writing here only to check and recover it; whoever runs the checkpointer opens it anew, after
    `release_checkpoint`.

    Raises:
        StoreRefused: in use, on a network file system, of a newer format, or of another deployment.
    """

    def __init__(self, folder: Path, *, allow_network_file_system: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = FolderLock(folder)
        self._closing: list[SqliteLogStore | SqliteCheckpointWriter] = []
        try:
            if not allow_network_file_system:
                _refuse_network(folder)
            new_log = not (folder / "log.db").exists()
            if new_log and (folder / "data.db").exists():
                raise StoreRefused(f"{folder} has data.db but no log.db: it is half of a copy")
            self.log = SqliteLogStore(folder / "log.db")
            self._closing.append(self.log)
            self.deployment_id = self.log.deployment_id
            self.checkpoint = SqliteCheckpointWriter(folder / "data.db", deployment_id=self.deployment_id)
            self._closing.append(self.checkpoint)
            if self.checkpoint.deployment_id != self.deployment_id:
                raise StoreRefused(
                    f"log.db and data.db in {folder} belong to different deployments",
                    code="DeploymentMismatch",
                )
        except BaseException:
            self.close()
            raise

    def release_checkpoint(self) -> None:
        """Close the checkpoint, so that another process can become its one writer."""
        self.checkpoint.close()

    def close(self) -> None:
        """Close the files, then give up the lock; may be called twice."""
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

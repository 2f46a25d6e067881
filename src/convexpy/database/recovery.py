"""Recovery at start: is this log and this checkpoint of one history, and what came after the checkpoint?"""

from __future__ import annotations

from dataclasses import dataclass

from convexpy.database._entries import encode_entry, highest_creation_time
from convexpy.persistence import CheckpointWriter, LogRow, LogStore, OutcomeUnknown, StoreFull, StoreRefused
from convexpy.runtime import Clock


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where a deployment goes on."""

    rows: list[LogRow]
    """Every row after the checkpoint."""
    checkpoint_seq: int
    seq: int
    ts: int
    max_creation_time: float


def recover(log: LogStore, checkpoint: CheckpointWriter, *, clock: Clock) -> Recovered:
    """Make sure that log and checkpoint fit, make durable what an earlier process left, and return the tail.

    Raises:
        StoreRefused: they do not fit, or nothing can be appended.
    """
    # Two files copied at different times do not make a database.
    last, first, checkpoint_seq = log.last_row(), log.first_seq, checkpoint.checkpoint_seq
    newest = last.seq if last is not None else 0
    oldest = first - 1 if first is not None else 0
    if not oldest <= checkpoint_seq <= newest:
        raise StoreRefused(
            f"the log holds rows {oldest + 1} to {newest}, the checkpoint is at row {checkpoint_seq}: "
            "the two files are from different points in time",
            hint="restore a backup, or let `convexpy doctor --salvage --data DIR` go on from data.db and say what is lost",
        )
    # Only a commit of our own makes durable what a failed sync may have left in the page cache.
    highest = highest_creation_time(last.entry) if last is not None else 0.0
    ts = max(clock.now_ns(), last.ts + 1 if last is not None else 1)
    try:
        log.recover()
        checkpoint.recover()
        log.append(newest + 1, ts, encode_entry([], max_creation_time=highest))
    except StoreFull as error:
        raise StoreRefused(
            f"nothing can be written to the log: {error}",
            code="StorageFull",
            hint="free space on the file system of the data folder, then start again; no data is lost",
        ) from error
    except (OutcomeUnknown, OSError) as error:
        raise StoreRefused(
            f"nothing can be written to the log: {error}",
            code="CannotAppend",
            hint="look at the disk, at quotas and file size limits (ulimit -f), and at the system's log, then start again",
        ) from error
    return Recovered(log.rows(checkpoint_seq), checkpoint_seq, newest + 1, ts, highest)

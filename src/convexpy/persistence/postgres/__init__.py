"""PostgreSQL as the engine: log, checkpoint and replay records in one schema of a database.

Nothing here is imported before a database is named; the driver is the extra `convexpy[postgres]`.
"""

from convexpy.persistence.postgres.address import DatabaseAddress as DatabaseAddress
from convexpy.persistence.postgres.filling import PostgresTarget as PostgresTarget
from convexpy.persistence.postgres.reader import PostgresCheckpointReader as PostgresCheckpointReader
from convexpy.persistence.postgres.store import PostgresStore as PostgresStore, PostgresTurn as PostgresTurn

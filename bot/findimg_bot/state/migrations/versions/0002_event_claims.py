"""Record which process handles an event, so that a repeated insert can tell its own row from another's."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("events", sa.Column("claim", sa.Text, nullable=False, server_default=""))

"""Create the tables for pictures of Slack channels: their changes, the channels' choices, catch-ups and leases."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "picture_changes",
        sa.Column("team", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("file", sa.Text, primary_key=True),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("noticed", sa.Double, nullable=False),
        sa.Column("due", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("done", sa.Double),
    )
    op.create_index("picture_changes_due", "picture_changes", ["done", "due"])
    op.create_table(
        "picture_channels",
        sa.Column("team", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("is_off", sa.Boolean, nullable=False),
        sa.Column("is_announced", sa.Boolean, nullable=False),
    )
    op.create_table(
        "catch_ups",
        sa.Column("team", sa.Text, primary_key=True),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )

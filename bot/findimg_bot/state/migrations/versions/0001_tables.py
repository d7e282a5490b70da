"""Create the tables, unless a release without migrations made them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create missing tables, and the column that early releases lacked."""
    inspector = sa.inspect(op.get_bind())
    present = set(inspector.get_table_names())
    if "questions" not in present:
        op.create_table(
            "questions",
            sa.Column("id", sa.Text, primary_key=True),
            sa.Column("team", sa.Text, nullable=False),
            sa.Column("user", sa.Text, nullable=False),
            sa.Column("command", sa.Text, nullable=False),
            sa.Column("text", sa.Text, nullable=False),
            sa.Column("about", sa.Text),
            sa.Column("seen", sa.LargeBinary),
            sa.Column("name", sa.Text, nullable=False),
            sa.Column("skip", sa.Integer, nullable=False),
            sa.Column("uris", sa.Text, nullable=False),
            sa.Column("created", sa.Double, nullable=False),
            sa.Column("layout", sa.Text, nullable=False, server_default="list"),
        )
        op.create_index("questions_created", "questions", ["created"])
    elif "layout" not in {column["name"] for column in inspector.get_columns("questions")}:
        op.add_column("questions", sa.Column("layout", sa.Text, nullable=False, server_default="list"))
    if "thumbnails" not in present:
        op.create_table(
            "thumbnails",
            sa.Column("team", sa.Text, primary_key=True),
            sa.Column("sha256", sa.Text, primary_key=True),
            sa.Column("file", sa.Text, nullable=False),
        )
    if "events" not in present:
        op.create_table(
            "events",
            sa.Column("id", sa.Text, primary_key=True),
            sa.Column("created", sa.Double, nullable=False),
        )
        op.create_index("events_created", "events", ["created"])

"""The tables of the bot's state. `migrations/versions` creates and changes them."""

from sqlalchemy import Column, Double, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()

questions = Table(
    "questions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("team", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("about", Text),
    Column("seen", LargeBinary),
    Column("name", Text, nullable=False),
    Column("skip", Integer, nullable=False),
    Column("uris", Text, nullable=False),  # a JSON list
    Column("created", Double, nullable=False),
    Column("layout", Text, nullable=False, server_default="list"),
    Index("questions_created", "created"),
)

thumbnails = Table(
    "thumbnails",
    metadata,
    Column("team", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("file", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created", Double, nullable=False),
    Column("claim", Text, nullable=False, server_default=""),  # of the process that handles the event
    Index("events_created", "created"),
)

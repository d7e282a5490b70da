"""The tables of the bot's state. `migrations/versions` creates and changes them."""

from sqlalchemy import Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, Table, Text

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

# Changes of pictures in Slack channels, until they are applied to the library. All but additions hide the pictures.
picture_changes = Table(
    "picture_changes",
    metadata,
    Column("team", Text, primary_key=True),
    Column("channel", Text, primary_key=True),  # empty for a file in all channels
    Column("file", Text, primary_key=True),  # empty for all files of a channel
    Column("action", Text, nullable=False),  # a value of `state.picture_changes.Action`
    Column("noticed", Double, nullable=False),
    Column("due", Double, nullable=False),  # when to try next
    Column("attempts", Integer, nullable=False),
    Column("done", Double),  # when a removal was applied
    Index("picture_changes_due", "done", "due"),
)

picture_channels = Table(
    "picture_channels",
    metadata,
    Column("team", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("is_off", Boolean, nullable=False),  # whether a member switched indexing off
    Column("is_announced", Boolean, nullable=False),
)

catch_ups = Table(
    "catch_ups",
    metadata,
    Column("team", Text, primary_key=True),
    Column("until", Double, nullable=False),  # files that were created before are known, by Slack's clock
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", Double, nullable=False),
)

# Requests of Slack without a complete answer. If the bot that accepted them ends, another one answers them.
requests = Table(
    "requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("team", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON, as Slack sent it, without tokens
    Column("owner", Text, nullable=False),  # the lease of the bot that answers it
    Column("claim", Text, nullable=False),  # of the take-over
    Column("attempts", Integer, nullable=False),  # how often it was taken over
    Column("is_answered", Boolean, nullable=False),  # whether a part of the answer may have been sent
    Column("progress", Text, nullable=False),  # timestamp of the message "Searching…"
    Column("created", Double, nullable=False),
)

"""What the id of a channel says."""


def is_direct(channel: str) -> bool:
    """Return whether a channel id is that of a direct message with the bot."""
    return channel.startswith("D")

"""The log of the bot."""

import logging
import os
import sys

from findimg.terminal import LineFormatter


def start_log(level: int, libraries: int = logging.WARNING) -> None:
    """Log to standard error. The log never contains questions or tokens.

    Args:
        level: lowest level of the bot's own messages.
        libraries: lowest level of the Slack libraries' messages.
    """
    # A separate descriptor, because standard error is redirected while TensorFlow loads.
    stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1, closefd=False)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    for name in ("findimg", "findimg_bot"):
        logging.getLogger(name).setLevel(level)
    for name in ("slack_sdk", "slack_bolt"):
        logging.getLogger(name).setLevel(libraries)

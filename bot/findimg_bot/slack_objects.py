"""The type of the objects that Slack sends and takes as JSON."""

from collections.abc import Mapping
from typing import Any

SlackObject = Mapping[str, Any]  # a request, an event, a view, a message, a block, as Slack's reference describes it

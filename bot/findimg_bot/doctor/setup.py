"""What the checks are about, and the error that they raise."""

from dataclasses import dataclass
from functools import cached_property

from slack_sdk.web.async_client import AsyncWebClient

from findimg.settings import Settings
from findimg_bot.app import build_client
from findimg_bot.served_library import ServedLibrary
from findimg_bot.slack.manifest import Surfaces


class ProblemError(Exception):
    """A check failed. The text says what to do."""


@dataclass(frozen=True)
class Setup:
    """A bot as its settings describe it."""

    settings: Settings
    surfaces: Surfaces  # the optional surfaces of Slack that the settings name
    http: bool  # whether Slack reaches the bot over HTTP instead of Socket Mode

    @cached_property
    def served_library(self) -> ServedLibrary:
        """The library."""
        return ServedLibrary(self.settings)

    @cached_property
    def client(self) -> AsyncWebClient:
        """A client of Slack's Web API with the bot token of the settings."""
        return build_client(self.settings)

    @property
    def many_workspaces(self) -> bool:
        """Whether workspaces install the app by OAuth."""
        return not self.settings.slack_bot_token.get_secret_value() and bool(self.settings.slack_client_id)

    @property
    def has_live_indexing(self) -> bool:
        """Whether the bot indexes pictures of Slack channels."""
        return self.settings.live_indexing == "on"

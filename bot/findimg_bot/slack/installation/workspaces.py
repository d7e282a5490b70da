"""The workspaces that have the app: one whose token is set, or many that installed it by OAuth."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from copy import copy

from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError, SlackTokenRotationError
from slack_sdk.oauth.installation_store.models.bot import Bot
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from findimg.settings import Settings
from findimg_bot.errors import SLACK_ERRORS
from findimg_bot.slack.installation.stores import InstallationStore

_log = logging.getLogger(__name__)
ClientOfTeam = Callable[[str], Awaitable[AsyncWebClient | None]]  # None where the app is not installed


def may_install(settings: Settings, team: str | None) -> bool:
    """Return whether the settings allow a workspace or organisation."""
    return "*" in settings.allowed_teams or (team is not None and team in settings.allowed_teams)


class SingleWorkspace:
    """The one workspace whose token is in the settings."""

    def __init__(self, client: AsyncWebClient):
        """Args:
        client: with the token.
        """
        self._client = client
        self._result: AuthorizeResult | None = None

    async def authorize(self, enterprise: str | None, team: str | None) -> AuthorizeResult | None:
        """Return the bot's identity, which is requested once; None while Slack rejects the token."""
        if self._result is None:
            try:
                answer = await self._client.auth_test()
            except SlackApiError as error:
                _log.error(
                    "Slack rejects FINDIMG_SLACK_BOT_TOKEN: %s. Install the app again and set its new token.",
                    error.response.get("error"),
                )
                return None
            self._result = AuthorizeResult.from_auth_test_response(
                auth_test_response=answer,
                bot_token=self._client.token,
                bot_scopes=answer.headers.get("x-oauth-scopes"),
            )
        return self._result

    async def client(self, team: str) -> AsyncWebClient | None:
        """Return a client with a team's token, None when the app is not installed there."""
        result = await self.authorize(None, team)
        return self._client if result and result.team_id == team else None

    async def forget(self, enterprise: str | None, team: str | None) -> None:
        """Request the bot's identity again when it is next needed."""
        self._result = None


class ManyWorkspaces:
    """The workspaces that installed the app by OAuth."""

    def __init__(self, client: AsyncWebClient, installations: InstallationStore, rotator: AsyncTokenRotator):
        """Args:
        client: without a token.
        rotator: renews tokens of apps with token rotation, which are valid for 12 hours.
        """
        self._client = client
        self._installations = installations
        self._rotator = rotator
        self._rotating = asyncio.Lock()

    async def authorize(self, enterprise: str | None, team: str | None) -> AuthorizeResult | None:
        """Return the bot's identity in a workspace, None when the app is not installed there."""
        # A request from an organisation names its workspace, also where the app is installed for the organisation.
        bot = await self._installations.async_find_bot(enterprise_id=enterprise, team_id=team)
        if bot is None and enterprise is not None:
            bot = await self._installations.async_find_bot(
                enterprise_id=enterprise, team_id=None, is_enterprise_install=True
            )
        return await self._result(bot) if bot else None

    async def _result(self, bot: Bot) -> AuthorizeResult:
        if bot.bot_refresh_token:
            # A refresh token is valid once, so one request at a time renews the token.
            async with self._rotating:
                bot = await self._renewed(bot)
        return AuthorizeResult(
            enterprise_id=bot.enterprise_id,
            team_id=bot.team_id,
            bot_id=bot.bot_id,
            bot_user_id=bot.bot_user_id,
            bot_token=bot.bot_token,
            bot_scopes=list(bot.bot_scopes),
        )

    async def _renewed(self, bot: Bot) -> Bot:
        """Return a bot with a token that does not expire soon, else with its newest token."""
        bot = await self._newest(bot)
        try:
            renewed = await self._rotator.perform_bot_token_rotation(bot=bot)
        except (SlackTokenRotationError, *SLACK_ERRORS) as error:
            # Another replica may have used the refresh token. Otherwise the token is often valid for some time.
            newest = await self._newest(bot)
            if newest.bot_token == bot.bot_token:
                _log.warning("The token of %s could not be renewed: %s", bot.team_id or bot.enterprise_id, error)
            return newest
        if renewed is None:
            return bot
        await self._installations.async_save_bot(renewed)
        return renewed

    async def _newest(self, bot: Bot) -> Bot:
        found = await self._installations.async_find_bot(
            enterprise_id=bot.enterprise_id, team_id=bot.team_id, is_enterprise_install=bot.is_enterprise_install
        )
        return found or bot

    async def client(self, team: str) -> AsyncWebClient | None:
        """Return a client with a team's token, None when the app is not installed there.

        Args:
            team: id of a workspace, or of an organisation for an org-wide installation.
        """
        bot = await self._installations.find_by_team(team)
        return with_token(self._client, (await self._result(bot)).bot_token) if bot else None

    async def forget(self, enterprise: str | None, team: str | None) -> None:
        """Delete the tokens of a workspace or an organisation."""
        await self._installations.async_delete_all(enterprise_id=enterprise, team_id=team)
        left = await self._installations.async_find_bot(enterprise_id=enterprise, team_id=team)
        if left:
            _log.error("The tokens of %s could not be deleted.", team or enterprise)


def with_token(client: AsyncWebClient, token: str | None) -> AsyncWebClient:
    """Return a copy of a client with another token."""
    other = copy(client)
    other.token = token
    return other


Workspaces = SingleWorkspace | ManyWorkspaces

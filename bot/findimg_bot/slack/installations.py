"""The workspaces that have the app: one whose token is set, or many that installed it by OAuth.

slack-sdk's SQLAlchemy store keeps the installations. It does not encrypt tokens, so this module does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from copy import copy
from functools import partial
from logging import Logger
from typing import Any, TypeVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError, SlackTokenRotationError
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.installation_store.models.bot import Bot
from slack_sdk.oauth.installation_store.models.installation import Installation
from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import and_, or_, select

from findimg.errors import SettingsError
from findimg.settings import Settings
from findimg_bot.errors import SLACK_ERRORS
from findimg_bot.state.database import Database

_STATE_SECONDS = 600
_TOKENS = ("bot_token", "bot_refresh_token", "user_token", "user_refresh_token", "incoming_webhook_url")
_log = logging.getLogger(__name__)
T = TypeVar("T")
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

    def __init__(self, client: AsyncWebClient, installations: "Installations", rotator: AsyncTokenRotator):
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


def ciphers(keys: str) -> MultiFernet:
    """Return the cipher for stored tokens.

    Args:
        keys: Fernet keys, separated by spaces or commas. The first encrypts, all decrypt, so keys can be rotated.

    Raises:
        SettingsError: there is no key, or one is not a Fernet key.
    """
    try:
        return MultiFernet([Fernet(key) for key in keys.replace(",", " ").split()])
    except ValueError as error:
        raise SettingsError(
            "FINDIMG_SLACK_TOKEN_KEY must hold a Fernet key, 32 bytes in URL-safe base64. Make one with "
            "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'."
        ) from error


class Installations(AsyncInstallationStore):
    """slack-sdk's SQLAlchemy store with encrypted tokens, called outside the event loop."""

    def __init__(self, database: Database, client_id: str, cipher: MultiFernet):
        self._database = database
        self._store = SQLAlchemyInstallationStore(client_id, database.engine, logger=_log)
        self._cipher = cipher
        database.create_tables(self._store.metadata)

    @property
    def logger(self) -> Logger:
        """The module's logger."""
        return _log

    async def async_save(self, installation: Installation) -> None:
        """Store an installation with encrypted tokens."""
        await self._call(self._store.save, installation=self._encrypted(installation))

    async def async_save_bot(self, bot: Bot) -> None:
        """Store the bot's part of an installation."""
        await self._call(self._store.save_bot, bot=self._encrypted(bot))

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """Return the bot of a workspace, None when the app is not installed there."""
        found = await self._call(
            self._store.find_bot,
            enterprise_id=enterprise_id,
            team_id=team_id,
            is_enterprise_install=is_enterprise_install,
        )
        return found and self._decrypted(found)

    async def find_by_team(self, team: str) -> Bot | None:
        """Return the newest bot of a workspace or organisation by its id alone, None when the app is not installed."""
        table = self._store.bots.c

        def find() -> tuple[str | None, str | None, bool] | None:
            query = (
                select(table.enterprise_id, table.team_id, table.is_enterprise_install)
                .where(table.client_id == self._store.client_id)
                .where(or_(table.team_id == team, and_(table.enterprise_id == team, table.is_enterprise_install)))
                .order_by(table.installed_at.desc())
            )
            with self._store.engine.connect() as connection:
                row = connection.execute(query).first()
            return row and (row[0], row[1], bool(row[2]))

        found = await self._call(find)
        if found is None:
            return None
        enterprise, workspace, org_wide = found
        return await self.async_find_bot(enterprise_id=enterprise, team_id=workspace, is_enterprise_install=org_wide)

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """Return the newest installation in a workspace, by one person when `user_id` is given."""
        found = await self._call(
            self._store.find_installation,
            enterprise_id=enterprise_id,
            team_id=team_id,
            user_id=user_id,
            is_enterprise_install=is_enterprise_install,
        )
        return found and self._decrypted(found)

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Delete the bot's token of a workspace."""
        await self._call(self._store.delete_bot, enterprise_id=enterprise_id, team_id=team_id)

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """Delete the installations of a workspace, by one person when `user_id` is given."""
        await self._call(self._store.delete_installation, enterprise_id=enterprise_id, team_id=team_id, user_id=user_id)

    async def _call(self, function: Callable[..., T], **arguments: Any) -> T:
        return await asyncio.to_thread(self._database.retry, partial(function, **arguments))

    def _encrypted(self, given: T) -> T:
        kept = copy(given)
        for name in _TOKENS:
            if token := getattr(kept, name, None):
                setattr(kept, name, self._cipher.encrypt(token.encode()).decode())
        return kept

    def _decrypted(self, kept: T) -> T | None:
        for name in _TOKENS:
            if token := getattr(kept, name, None):
                try:
                    setattr(kept, name, self._cipher.decrypt(token.encode()).decode())
                except InvalidToken:
                    _log.error(
                        "A stored token cannot be decrypted: FINDIMG_SLACK_TOKEN_KEY is not the key that encrypted it."
                    )
                    return None
        return kept


class States(AsyncOAuthStateStore):
    """The OAuth states of unfinished installations, stored outside the event loop."""

    def __init__(self, database: Database):
        self._database = database
        self._store = SQLAlchemyOAuthStateStore(_STATE_SECONDS, database.engine, logger=_log)
        database.create_tables(self._store.metadata)

    @property
    def logger(self) -> Logger:
        """The module's logger."""
        return _log

    async def async_issue(self, *args: Any, **kwargs: Any) -> str:
        """Return a new state."""
        return await asyncio.to_thread(self._database.retry, self._store.issue)

    async def async_consume(self, state: str) -> bool:
        """Return whether a state was issued and is used for the first time."""
        return await asyncio.to_thread(self._database.retry, lambda: self._store.consume(state))

"""Where installations and unfinished installations are stored: in the bot's state.

slack-sdk's SQLAlchemy store keeps the installations. It does not encrypt tokens, so this module does.
"""

import asyncio
import logging
from collections.abc import Callable
from copy import copy
from functools import partial
from logging import Logger
from typing import Any, TypeVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.installation_store.models.bot import Bot
from slack_sdk.oauth.installation_store.models.installation import Installation
from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore
from sqlalchemy import and_, or_, select

from findimg.errors import SettingsError
from findimg_bot.state.database import Database

_STATE_SECONDS = 600
_TOKENS = ("bot_token", "bot_refresh_token", "user_token", "user_refresh_token", "incoming_webhook_url")
_log = logging.getLogger(__name__)
T = TypeVar("T")


def token_cipher(keys: str) -> MultiFernet:
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


class InstallationStore(AsyncInstallationStore):
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


class OAuthStateStore(AsyncOAuthStateStore):
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

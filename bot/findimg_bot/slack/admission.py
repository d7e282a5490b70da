"""Decides which requests the bot answers: genuine, not repeated, and from allowed channels and people."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError

from findimg.settings import Settings
from findimg_bot.service.query_service import QueryService
from findimg_bot.slack.download import SLACK_API
from findimg_bot.slack.installations import Workspaces

_HOOKS = "https://hooks.slack.com"
_NOT_ALLOWED = "findimg is not allowed to answer here. Ask the operator of findimg to allow it."
_log = logging.getLogger(__name__)


class Admission(AsyncMiddleware):
    """Middleware for all requests. It puts the services into the context for the listeners."""

    def __init__(self, settings: Settings, service: QueryService, workspaces: Workspaces):
        api = urlsplit(settings.slack_api_url)
        hooks = urlsplit(_HOOKS) if settings.slack_api_url == SLACK_API else api
        self._hooks = hooks.scheme, hooks.netloc
        self._channels = settings.channels
        self._users = settings.users
        self._desk = service
        self._workspaces = workspaces

    async def async_process(
        self, *, req: AsyncBoltRequest, resp: BoltResponse, next: Callable[[], Awaitable[BoltResponse]]
    ) -> BoltResponse:
        """Pass a request on to its listener, or refuse it."""
        body, context = req.body, req.context
        if not self._is_slack_url(body.get("response_url")):
            _log.warning("A request was refused because its response_url is not Slack's.")
            return BoltResponse(status=403, body="This response_url is not Slack's.")
        event = body.get("event_id")
        if event and not await asyncio.to_thread(self._desk.store.is_new, event):
            return BoltResponse(status=200)
        if not self._is_allowed(context):
            return await self._refuse(body, context)
        context["service"] = self._desk
        context["workspaces"] = self._workspaces
        return await next()

    def _is_slack_url(self, response_url: str | None) -> bool:
        if response_url is None:
            return True
        parts = urlsplit(response_url)
        return (parts.scheme, parts.netloc) == self._hooks

    def _is_allowed(self, context: AsyncBoltContext) -> bool:
        if context.user_id is None:
            return True
        # The Home tab and a modal are in no channel.
        channel = not self._channels or context.channel_id is None or context.channel_id in self._channels
        return channel and (not self._users or context.user_id in self._users)

    async def _refuse(self, body: dict[str, Any], context: AsyncBoltContext) -> BoltResponse:
        if "command" in body:
            return BoltResponse(status=200, body=_NOT_ALLOWED)
        if context.channel_id and context.user_id:
            try:
                await context.client.chat_postEphemeral(
                    channel=context.channel_id, user=context.user_id, text=_NOT_ALLOWED
                )
            except SlackApiError as error:
                _log.info("A person was refused without a message: %s", error.response.get("error"))
        return BoltResponse(status=200)

"""Who is let in: requests that Slack really sent, once each, from channels and people that the operator allows."""

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
from findimg_bot.slack.installations import Workspaces
from findimg_bot.slack.uploads import SLACK_API

_HOOKS = "https://hooks.slack.com"
_NOT_HERE = "I am not allowed to answer here. Whoever runs findimg can allow it."
_log = logging.getLogger(__name__)


class Admission(AsyncMiddleware):
    """A middleware for all requests; it gives listeners what they need."""

    def __init__(self, settings: Settings, desk: QueryService, workspaces: Workspaces):
        api = urlsplit(settings.slack_api_url)
        hooks = urlsplit(_HOOKS) if settings.slack_api_url == SLACK_API else api
        self._hooks = hooks.scheme, hooks.netloc
        self._channels = settings.channels
        self._users = settings.users
        self._desk = desk
        self._workspaces = workspaces

    async def async_process(
        self, *, req: AsyncBoltRequest, resp: BoltResponse, next: Callable[[], Awaitable[BoltResponse]]
    ) -> BoltResponse:
        """Passes a request on to its listener, or answers it here."""
        body, context = req.body, req.context
        if not self._may_answer_to(body.get("response_url")):
            _log.warning("A request names a response_url that is not Slack's; it is not answered.")
            return BoltResponse(status=403, body="This response_url is not Slack's.")
        event = body.get("event_id")
        if event and not await asyncio.to_thread(self._desk.store.is_new, event):
            return BoltResponse(status=200)
        if not self._is_allowed(context):
            return await self._turn_away(body, context)
        context["desk"] = self._desk
        context["workspaces"] = self._workspaces
        return await next()

    def _may_answer_to(self, response_url: str | None) -> bool:
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

    async def _turn_away(self, body: dict[str, Any], context: AsyncBoltContext) -> BoltResponse:
        if "command" in body:
            return BoltResponse(status=200, body=_NOT_HERE)
        if context.channel_id and context.user_id:
            try:
                await context.client.chat_postEphemeral(
                    channel=context.channel_id, user=context.user_id, text=_NOT_HERE
                )
            except SlackApiError as error:
                _log.info("Nobody can be told that this is not allowed: %s", error.response.get("error"))
        return BoltResponse(status=200)

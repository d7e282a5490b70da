"""Somebody opens the Home tab."""

from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import FindimgError
from findimg_bot.service.query_service import NOT_READY, QueryService
from findimg_bot.slack.blocks import home_view


async def app_home_opened(event: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Shows what is indexed, since when, and how to ask."""
    if event.get("tab") != "home":
        return
    desk: QueryService = context["desk"]
    try:
        view = home_view(await desk.manifest())
    except FindimgError:
        view = home_view(None, NOT_READY)
    await client.views_publish(user_id=event["user"], view=view)

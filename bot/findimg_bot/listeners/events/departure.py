"""What is removed when a workspace has gone."""

import asyncio
import logging

from slack_bolt.context.async_context import AsyncBoltContext

from findimg_bot.service.query_service import QueryService
from findimg_bot.slack.installations import Workspaces

_log = logging.getLogger(__name__)


async def forget_workspace(context: AsyncBoltContext) -> None:
    """Removes a workspace's tokens, questions and thumbnails' ids."""
    desk: QueryService = context["desk"]
    workspaces: Workspaces = context["workspaces"]
    team = str(context.team_id or context.enterprise_id)
    await workspaces.forget(context.enterprise_id, context.team_id)
    await asyncio.to_thread(desk.store.forget_team, team)
    _log.info("The workspace %s has gone; what was kept of it is removed.", team)

"""Deletes what is stored about a workspace that removed the app."""

import asyncio
import logging

from slack_bolt.context.async_context import AsyncBoltContext

from findimg_bot.listeners.request_context import services_of, workspaces_of

_log = logging.getLogger(__name__)


async def forget_workspace(context: AsyncBoltContext) -> None:
    """Delete a workspace's tokens, questions and thumbnail ids."""
    services = services_of(context)
    workspaces = workspaces_of(context)
    org_wide = bool(context.is_enterprise_install)
    team = str(context.enterprise_id if org_wide else context.team_id or context.enterprise_id)
    await workspaces.forget(context.enterprise_id, None if org_wide else context.team_id)
    await asyncio.to_thread(services.store.forget_team, team)
    _log.info("The workspace %s removed the app. Its stored data is deleted.", team)

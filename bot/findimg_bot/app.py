"""Builds the Bolt app, for Socket Mode and HTTP, and for one or many workspaces."""

import logging
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization.async_authorize import AsyncCallableAuthorize
from slack_bolt.listener.async_listener_completion_handler import AsyncListenerCompletionHandler
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import SettingsError
from findimg.settings import Settings
from findimg_bot.listeners import register_listeners
from findimg_bot.listeners.admission import UNANSWERED_REQUEST, Admission
from findimg_bot.service.bot_services import BotServices
from findimg_bot.service.request_recovery import UnansweredRequest
from findimg_bot.slack.installation.oauth_flow import RestrictedOAuthFlow
from findimg_bot.slack.installation.stores import InstallationStore, OAuthStateStore, token_cipher
from findimg_bot.slack.installation.workspaces import ManyWorkspaces, SingleWorkspace, Workspaces, with_token
from findimg_bot.slack.manifest import INSTALL_PATH, REDIRECT_PATH, Surfaces, bot_scopes
from findimg_bot.slack.pictures.download import SLACK_API
from findimg_bot.slack.rate_limit import RateLimitRetryHandler
from findimg_bot.state.database import Database

_TIMEOUT = 15  # seconds for one call of Slack's Web API
_AUTHORIZE = "https://slack.com/oauth/v2/authorize"
_log = logging.getLogger(__name__)


class FinishingApp(AsyncApp):
    """An app that deletes the record of a request when its listener has ended. `Admission` makes the record."""

    def __init__(self, **arguments: Any):
        super().__init__(**arguments)
        self.listener_runner.listener_completion_handler = _Completion()

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Process a request of Slack."""
        response = await super().async_dispatch(req)
        if response.status != 200:  # no listener has accepted it
            await _finish(req)
        return response

    async def dispatch_again(self, body: dict[str, Any], request: UnansweredRequest) -> None:
        """Process a request that another bot accepted but did not answer. Slack does not send it again."""
        # The mode has no signature, which was checked before.
        await self.async_dispatch(
            AsyncBoltRequest(mode="socket_mode", body=body, context={UNANSWERED_REQUEST: request})
        )


class _Completion(AsyncListenerCompletionHandler):
    async def handle(self, request: AsyncBoltRequest, response: BoltResponse | None) -> None:
        await _finish(request)


async def _finish(req: AsyncBoltRequest) -> None:
    request: UnansweredRequest | None = req.context.get(UNANSWERED_REQUEST)
    if request:
        await request.finish()


def build_client(settings: Settings, session: aiohttp.ClientSession | None = None) -> AsyncWebClient:
    """Return a client of Slack's Web API, with the workspace's token if the settings have one.

    Args:
        session: shared by all calls, so that they reuse connections; None opens a session for each call.
    """
    return AsyncWebClient(
        token=settings.slack_bot_token.get_secret_value() or None,
        base_url=settings.slack_api_url,
        timeout=_TIMEOUT,
        session=session,
        retry_handlers=[AsyncConnectionErrorRetryHandler(), RateLimitRetryHandler(max_retry_count=1)],
    )


def build_app(settings: Settings, services: BotServices, client: AsyncWebClient) -> tuple[FinishingApp, Workspaces]:
    """Build the app.

    Raises:
        SettingsError: neither a bot token nor the app's client id, secret and key are set.
    """
    workspaces: Workspaces
    flow: RestrictedOAuthFlow | None = None
    if settings.slack_bot_token.get_secret_value():
        workspaces = SingleWorkspace(client)
    elif settings.slack_client_id:
        flow = _oauth_flow(settings, client, services.store.database)
        rotator = AsyncTokenRotator(
            client_id=settings.slack_client_id,
            client_secret=settings.slack_client_secret.get_secret_value(),
            client=with_token(client, None),
        )
        workspaces = ManyWorkspaces(client, flow.installations, rotator)
    else:
        raise SettingsError(
            "No workspace is set. Set FINDIMG_SLACK_BOT_TOKEN for one workspace, or FINDIMG_SLACK_CLIENT_ID, "
            "FINDIMG_SLACK_CLIENT_SECRET and FINDIMG_SLACK_TOKEN_KEY for many. README.md shows where to find them."
        )

    # Bolt passes arguments by name. Its types do not allow for None, which an unknown workspace needs.
    async def authorize(enterprise_id: str | None, team_id: str | None) -> Any:
        return await workspaces.authorize(enterprise_id, team_id)

    authorization: Any = AsyncCallableAuthorize(logger=_log, func=authorize)

    app = FinishingApp(
        logger=_log,
        name="findimg",
        signing_secret=settings.slack_signing_secret.get_secret_value(),
        client=with_token(client, None),
        authorize=authorization,
        oauth_flow=flow,
        user_facing_authorize_error_message=(
            "findimg's installation in this workspace is no longer valid. Ask the operator of findimg to install it "
            "again."
        ),
    )
    app.middleware(Admission(settings, services, workspaces))
    register_listeners(app)
    return app, workspaces


def _oauth_flow(settings: Settings, client: AsyncWebClient, database: Database) -> RestrictedOAuthFlow:
    """Return the OAuth flow that installs the app in many workspaces. Installations are stored in the bot's state."""
    secret = settings.slack_client_secret.get_secret_value()
    key = settings.slack_token_key.get_secret_value()
    if not secret or not key:
        raise SettingsError(
            "FINDIMG_SLACK_CLIENT_ID also needs FINDIMG_SLACK_CLIENT_SECRET and FINDIMG_SLACK_TOKEN_KEY. Set both."
        )
    if not settings.allowed_teams:
        _log.warning(
            "Every workspace is refused, because FINDIMG_ALLOW_TEAMS is empty. Set it to the ids of the allowed "
            "workspaces, or to * for any workspace."
        )
    api = urlsplit(settings.slack_api_url)
    installations = InstallationStore(database, settings.slack_client_id, token_cipher(key))
    oauth = AsyncOAuthSettings(
        client_id=settings.slack_client_id,
        client_secret=secret,
        scopes=bot_scopes(Surfaces.named(settings.slack_surfaces)),
        install_path=INSTALL_PATH,
        install_page_rendering_enabled=False,
        redirect_uri_path=REDIRECT_PATH,
        authorization_url=_AUTHORIZE
        if settings.slack_api_url == SLACK_API
        else f"{api.scheme}://{api.netloc}/oauth/v2/authorize",
        installation_store=installations,
        state_store=OAuthStateStore(database),
        logger=_log,
    )
    return RestrictedOAuthFlow(with_token(client, None), oauth, settings, installations)

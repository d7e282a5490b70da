"""The installation by OAuth, open only to the workspaces that the settings allow."""

import logging

from slack_bolt.oauth.async_callback_options import AsyncFailureArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackClientError
from slack_sdk.oauth.installation_store.models.installation import Installation
from slack_sdk.web.async_client import AsyncWebClient

from findimg.settings import Settings
from findimg_bot.slack.installation.stores import InstallationStore
from findimg_bot.slack.installation.workspaces import may_install

_REFUSED = (
    "This workspace may not install findimg. Its operator can allow it: FINDIMG_ALLOW_TEAMS needs {team}. Then install "
    "it again."
)
_log = logging.getLogger(__name__)


class RestrictedOAuthFlow(AsyncOAuthFlow):
    """Bolt's OAuth flow, which gives up the token of a workspace that is not allowed."""

    def __init__(
        self, client: AsyncWebClient, oauth: AsyncOAuthSettings, settings: Settings, installations: InstallationStore
    ):
        """Args:
        client: without a token.
        oauth: settings of Bolt's flow.
        settings: name the allowed workspaces.
        installations: where installations are stored.
        """
        super().__init__(client=client, logger=_log, settings=oauth)
        self.installations = installations
        self._allowed = settings
        self._refused: dict[str, str] = {}  # codes of refused installations → the team
        self.failure_handler = self._fail

    async def run_installation(self, code: str) -> Installation | None:
        """Return the installation, None when it failed or the workspace is not allowed."""
        installation = await super().run_installation(code)
        if installation is None or self._is_allowed(installation):
            return installation
        team = str(installation.team_id or installation.enterprise_id)
        _log.warning("The workspace %s was not allowed to install the app. FINDIMG_ALLOW_TEAMS lacks its id.", team)
        self._refused[code] = team
        try:
            await self.client.auth_revoke(token=installation.bot_token)
        except SlackClientError as error:
            _log.warning("Its token could not be revoked: %s", error)
        return None

    def _is_allowed(self, installation: Installation) -> bool:
        return any(may_install(self._allowed, each) for each in (installation.team_id, installation.enterprise_id))

    async def _fail(self, args: AsyncFailureArgs) -> BoltResponse:
        code = args.request.query.get("code", [""])[0]
        if team := self._refused.pop(code, ""):
            return BoltResponse(status=403, body=_REFUSED.format(team=team))
        return await args.default.failure(args)

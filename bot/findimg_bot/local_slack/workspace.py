"""The workspace: one app, its teams, and Slack's services for them."""

import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from findimg_bot.local_slack.actions.channel_actions import ChannelActions
from findimg_bot.local_slack.actions.member_actions import MemberActions
from findimg_bot.local_slack.actions.services import WorkspaceServices
from findimg_bot.local_slack.delivery.events import Events
from findimg_bot.local_slack.delivery.functions import Functions
from findimg_bot.local_slack.delivery.http import EVENTS, Delivery, DeliveryError, SignedHttp
from findimg_bot.local_slack.delivery.response_urls import ResponseUrls
from findimg_bot.local_slack.delivery.socket_mode import SocketModeServer
from findimg_bot.local_slack.fault_injection import FaultInjection, Timing
from findimg_bot.local_slack.model.files import FILE_BYTES, Files, can_be_shown
from findimg_bot.local_slack.model.installation import Organisation
from findimg_bot.local_slack.model.messages import Messages, NewMessage
from findimg_bot.local_slack.model.page_updates import PageUpdates, file_named
from findimg_bot.local_slack.model.state import Channel, File, Json, Team, User, new_id
from findimg_bot.local_slack.model.views import Views
from findimg_bot.local_slack.web_api.api import Api, ApiError, Arguments
from findimg_bot.local_slack.web_api.assistant import Assistant
from findimg_bot.local_slack.web_api.chat import Chat
from findimg_bot.local_slack.web_api.conversations import Conversations
from findimg_bot.local_slack.web_api.functions import FunctionCompletion
from findimg_bot.local_slack.web_api.modals import Modals
from findimg_bot.local_slack.web_api.oauth import AppCredentials, OAuth
from findimg_bot.local_slack.web_api.uploads import Uploads
from findimg_bot.local_slack.web_page.access_control import AccessControl
from findimg_bot.local_slack.web_page.page_api import ORIGINALS_PATH, PageApi

HOST = "127.0.0.1"
_BODY_BYTES = 2**20  # of everything but uploads


class Workspace:
    """A local Slack at 127.0.0.1 with one app and one or more teams. Its state is in memory."""

    def __init__(
        self,
        manifest: Mapping[str, Any],
        *,
        port: int = 0,
        host: str = HOST,
        token: str | None = None,
        request_url: str | None = None,
        originals: Callable[[str], bytes | None] | None = None,
    ):
        """Create a workspace with a team `findimg`, a person in it and a channel `general`.

        Args:
            manifest: the app's manifest, with its commands, shortcuts, scopes and events.
            port: 0 chooses a free port.
            host: the address to listen on. Requests must still name the host 127.0.0.1 or localhost.
            token: opens the page as the first person. None generates one.
            request_url: the address for signed HTTP, which then replaces Socket Mode.
            originals: returns the image at a path below `originals_url`, None where there is none.
        """
        self.manifest: Json = dict(manifest)
        self.app_id = new_id("A")
        self.app_token = f"xapp-1-{self.app_id}-{secrets.token_hex(16)}"
        self.signing_secret = secrets.token_hex(16)
        self.client_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}"
        self.client_secret = secrets.token_hex(16)
        self.faults = FaultInjection()
        self.timing = Timing()
        self.teams: dict[str, Team] = {}
        self.sockets = SocketModeServer(self.app_id)
        self.faults.drop_sockets = self.sockets.drop
        self.team = self.add_team("findimg", token=token)
        self.me = next(user for user in self.team.users.values() if not user.is_bot)
        self.token = self.me.token
        self._delivery: Delivery = SignedHttp(request_url, self.signing_secret) if request_url else self.sockets
        self._originals = originals
        self._port = port
        self._host = host
        self._runner: web.AppRunner | None = None
        self._services: WorkspaceServices | None = None

    @property
    def address(self) -> str:
        """`http://127.0.0.1:PORT`, once it is started."""
        return f"http://{HOST}:{self._port}"

    @property
    def api_url(self) -> str:
        """Return the base_url for slack-sdk's clients."""
        return f"{self.address}/api/"

    @property
    def originals_url(self) -> str:
        """Return the address below which people who are signed in open original images."""
        return f"{self.address}{ORIGINALS_PATH}"

    @property
    def bot_token(self) -> str:
        """Return the first team's bot token."""
        return self.team.bot_token

    async def start(self) -> None:
        """Start to listen.

        Raises:
            OSError: the port is taken.
        """
        listening = socket.create_server((self._host, self._port))
        self._port = listening.getsockname()[1]
        self._services = self._build_services()
        self._runner = web.AppRunner(self._build_web_app(self._services), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def stop(self) -> None:
        """Stop the workspace. This has no effect on a workspace that was not started."""
        if self._runner is None:
            return
        self.services.events.stop()
        self.services.files.stop()
        await self._delivery.close()
        await self.sockets.close()
        await self._runner.cleanup()

    @property
    def services(self) -> WorkspaceServices:
        """Return the parts that people's actions use.

        Raises:
            RuntimeError: the workspace was not started.
        """
        if self._services is None:
            raise RuntimeError("The workspace is not started. Await start() first.")
        return self._services

    def person(self, user: User | None = None) -> MemberActions:
        """Return the actions of a person, by default the first one. They reach the bot as those of the page do."""
        user = user or self.me
        team = next(team for team in self.teams.values() if user.id in team.users)
        return MemberActions(self.services, team, user)

    def channel_actions(self, user: User | None = None) -> ChannelActions:
        """Return the actions of a person, by default the first one, on channels and files."""
        user = user or self.me
        team = next(team for team in self.teams.values() if user.id in team.users)
        return ChannelActions(self.services, team, user)

    def post(self, channel_name: str, text: str, blocks: Sequence[Json] | None = None) -> str:
        """Post a message of the bot in a channel of the first team, and return its ts."""
        channel = self.team.channel(channel_name)
        if channel is None:
            raise ValueError(f"There is no channel {channel_name!r} in {self.team.name}.")
        return self.services.messages.post(self.team, channel, NewMessage(text, blocks or ())).ts

    def add_team(
        self,
        name: str,
        *,
        installed: bool = True,
        token: str | None = None,
        organisation: Organisation | None = None,
        org_wide: bool = False,
    ) -> Team:
        """Add a team with a person, the bot and a channel `general`.

        Args:
            name: also its part of addresses, so letters, digits and dashes.
            installed: whether the app is in it already; else OAuth brings it there.
            token: opens the page as the person. None generates one.
            organisation: of Enterprise Grid, to which the team belongs.
            org_wide: whether the app is installed for the whole organisation. Its teams then have one bot, one token
                and common files.
        """
        shown = self.manifest.get("features", {}).get("bot_user", {}).get("display_name", "app")
        bot = User(new_id("U"), shown, is_bot=True)
        scopes = frozenset(self.manifest.get("oauth_config", {}).get("scopes", {}).get("bot", ()))
        team = Team(new_id("T"), name, bot, scopes, organisation=organisation, users={bot.id: bot})
        team.installation.installed, team.installation.org_wide = installed, org_wide
        sibling = next((each for each in self.teams.values() if org_wide and each.organisation == organisation), None)
        if sibling:
            team.bot, team.bot_id, team.users = sibling.bot, sibling.bot_id, {sibling.bot.id: sibling.bot}
            team.installation, team.files = sibling.installation, sibling.files
        team.add_channel("general")
        team.add_user("you", token)
        self.teams[team.id] = team
        return team

    def post_as_workflow(self, channel: Channel, text: str, team: Team | None = None) -> str:
        """Post a message as a workflow, which has a name but no user. Returns the message's ts."""
        team = team or self.team
        return self.services.messages.post_as_workflow(team, channel, "Workflow", text).ts

    def add_remote_file(self, name: str, url: str, channel: Channel, user: User | None = None) -> File:
        """Share a file that is stored outside Slack. Its `mode` is `external`.

        Args:
            url: its address, which is not checked.
        """
        person = self.person(user)
        file = File(new_id("F"), person.user.id, name, name, mimetype="image/jpeg", complete=True, external_url=url)
        person.team.files[file.id] = file
        self.services.messages.say(person.team, channel, person.user, NewMessage("", files=[file]))
        return file

    def install(self, team: Team) -> None:
        """Put the app into a team, or into its organisation, with a new token. Earlier tokens stay revoked."""
        team.installation.expiries.clear()
        team.installation.renew(self.timing.token)
        team.installation.installed = True

    def refresh(self, refresh_token: str) -> Team | None:
        """Use a refresh token, which is valid once, and return its team; None where it is not valid."""
        teams = self.teams.values()
        team = next(
            (each for each in teams if refresh_token and each.installation.refresh_token == refresh_token), None
        )
        if team and team.installed:
            team.installation.renew(self.timing.token)
            return team
        return None

    def uninstall(self, team: Team | None = None) -> None:
        """Remove the app from a team, by default the first one."""
        team = team or self.team
        self.services.events.tokens_revoked(team)
        self.services.events.uninstalled(team)
        team.installed = False

    def revoke(self, team: Team | None = None) -> None:
        """Revoke a team's bot token, by default the first team's."""
        team = team or self.team
        self.services.events.tokens_revoked(team)
        team.installed = False

    async def settle(self) -> None:
        """Wait until every event is acknowledged or given up."""
        await self.services.events.settle()

    async def verify_request_url(self) -> bool:
        """Check the request URL with a challenge, as Slack does when the URL is saved."""
        challenge = secrets.token_urlsafe(24)
        payload = {"type": "url_verification", "token": "deprecated", "challenge": challenge}
        try:
            answer = await self._delivery.send(EVENTS, payload, self.timing.acknowledge)
        except DeliveryError:
            return False
        return challenge in (answer.get("challenge"), answer.get("text"))

    def _build_services(self) -> WorkspaceServices:
        """Build the parts that people's actions and the web application use. The port must be known."""
        features, settings = self.manifest.get("features", {}), self.manifest.get("settings", {})
        subscribed = settings.get("event_subscriptions", {}).get("bot_events", ())
        page_updates = PageUpdates(self.manifest, FILE_BYTES)
        files = Files(page_updates, self.faults)
        events = Events(
            self._delivery,
            subscribed,
            self.app_id,
            self.timing,
            lambda: self.faults.file_stubs,
            features.get("unfurl_domains", ()),
        )
        functions = Functions(self.manifest.get("functions", {}), events, self.app_id, self.timing)
        messages = Messages(page_updates, events, self.address)
        response_urls = ResponseUrls(messages, _showable, self.timing, self.faults, self.address)
        has_home = bool(features.get("app_home", {}).get("home_tab_enabled"))
        views = Views(page_updates, _showable, self.timing, self.app_id, has_home)
        return WorkspaceServices(
            self.manifest,
            self.app_id,
            self.address,
            self._delivery,
            events,
            page_updates,
            files,
            response_urls,
            messages,
            self.timing,
            views,
            functions,
        )

    def _build_api(self, services: WorkspaceServices, oauth: OAuth) -> Api:
        """Build Slack's Web API."""
        messages, has_panel = services.messages, "agent_view" in self.manifest.get("features", {})
        api = Api(self.app_token, self.teams, self.faults, team_of_trigger=services.views.team_of_trigger)
        Chat(messages, _showable, self.app_id).register(api)
        Conversations(messages).register(api)
        Uploads(services.files, messages, _showable, self.address).register(api)
        Modals(services.views).register(api)
        FunctionCompletion(services.functions).register(api)
        Assistant(services.page_updates, has_panel).register(api)
        oauth.register(api)
        api.app_methods["apps.connections.open"] = self._open_connection
        return api

    def _build_web_app(self, services: WorkspaceServices) -> web.Application:
        """Build the web application: the page, the Web API, files and OAuth."""
        files = services.files
        redirect_urls = self.manifest.get("oauth_config", {}).get("redirect_urls", ())
        oauth = OAuth(AppCredentials(self.app_id, self.client_id, self.client_secret), redirect_urls, self)
        api = self._build_api(services, oauth)
        guard = AccessControl(self._port, self.teams)
        page = PageApi(services, guard, self._originals)

        async def authorize(request: web.Request) -> web.StreamResponse:
            found = guard.signed_in(request)
            return oauth.authorize(request, *found) if found else web.Response(status=403, text="Sign in first.")

        async def download(request: web.Request) -> web.StreamResponse:
            return await files.serve_file(request, api.reader(request))

        async def download_thumbnail(request: web.Request) -> web.StreamResponse:
            return await files.serve_thumbnail(request, api.reader(request))

        app = web.Application(client_max_size=_BODY_BYTES, middlewares=[guard.middleware()])
        app.on_response_prepare.append(guard.add_headers)
        app.router.add_route("*", "/api/{method}", api.take)
        app.router.add_get("/link/", self.sockets.handle)
        app.router.add_post("/hooks/{name:.+}", services.response_urls.handle)
        app.router.add_post("/upload/v1/{ticket}", files.receive_upload)
        app.router.add_get("/files-pri/{file}/{name:.+}", download)
        app.router.add_get("/files-tmb/{file}/{name:.+}", download_thumbnail)
        app.router.add_get("/oauth/v2/authorize", authorize)
        page.register(app.router)
        app.on_shutdown.append(page.close)
        return app

    def _open_connection(self, arguments: Arguments, request: web.Request) -> Json:
        if not self.sockets.switched_on:
            raise ApiError("link_disabled")
        return {"url": self.sockets.new_address(self.address)}


def _showable(team: Team, slack_file: Mapping[str, Any]) -> bool:
    file = team.files.get(file_named(dict(slack_file)))
    return file is not None and team.bot_sees(file) and can_be_shown(file)

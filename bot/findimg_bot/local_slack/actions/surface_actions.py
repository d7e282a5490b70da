"""What a person does on other surfaces: workflows, Slack's search, the app's tabs and the assistant panel."""

from collections.abc import Mapping
from typing import Any

from findimg_bot.local_slack.actions.member import Member
from findimg_bot.local_slack.actions.services import UserActionError
from findimg_bot.local_slack.delivery.functions import FunctionError
from findimg_bot.local_slack.model.state import Json


class SurfaceActions(Member):
    """The actions of one person on workflows, searches, the app's tabs and the assistant panel."""

    async def run_step(self, callback_id: str, inputs: Mapping[str, Any]) -> Json:
        """Run a workflow with one step of the app, and return the step's outputs.

        Raises:
            UserActionError: there is no such step, or it failed.
        """
        if callback_id not in self.services.functions.definitions or self.user.home_team:
            raise UserActionError(f"There is no step {callback_id!r}.")
        try:
            return await self.services.functions.run(self.team, callback_id, inputs, self.user)
        except FunctionError as error:
            raise UserActionError(str(error)) from error

    async def search(self, query: str) -> list[Json]:
        """Search, and return the results of the app.

        Raises:
            UserActionError: the app gives no results to searches, or it failed.
        """
        search = self.services.manifest.get("features", {}).get("search")
        if not search or self.user.home_team:
            raise UserActionError("The app gives no results to searches.")
        inputs = {"query": query, "filters": {}}
        try:
            outputs = await self.services.functions.search(
                self.team, search["search_function_callback_id"], inputs, self.user
            )
        except FunctionError as error:
            raise UserActionError(str(error)) from error
        return list(outputs["search_results"])

    def open_home(self, tab: str = "home", beside: str = "") -> None:
        """Open one of the app's tabs, `home` or `messages`.

        Args:
            beside: id of the channel beside which the messages are shown in the assistant panel.
        """
        self.team.viewed[self.user.id] = self.find_channel(beside).id if beside else ""
        self.services.events.home_opened(self.team, self.user.id, tab)

    def look_at(self, channel: str) -> None:
        """Look at another channel beside the open assistant panel.

        Raises:
            UserActionError: there is no such channel.
        """
        self.team.viewed[self.user.id] = self.find_channel(channel).id
        self.services.events.context_changed(self.team, self.user.id)

    def close_panel(self) -> None:
        """Close the assistant panel."""
        self.team.viewed.pop(self.user.id, None)

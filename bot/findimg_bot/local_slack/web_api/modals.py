"""The Web API's view methods."""

from collections.abc import Callable

from findimg_bot.local_slack.model.state import Json, View
from findimg_bot.local_slack.model.views import ViewError, Views
from findimg_bot.local_slack.web_api.api import Api, ApiError, Call


class Modals:
    """Opens and updates views for the bot."""

    def __init__(self, views: Views):
        self._views = views

    def register(self, api: Api) -> None:
        """Register the methods. None needs a scope."""
        api.methods |= {
            "views.open": (self.open, ""),
            "views.push": (self.push, ""),
            "views.update": (self.update, ""),
            "views.publish": (self.publish, ""),
        }

    def open(self, call: Call) -> Json:
        """`views.open`."""
        view = call.arguments.json("view", "invalid_arguments")
        return _answered(lambda: self._views.open(call.team, call.arguments.text("trigger_id"), view))

    def push(self, call: Call) -> Json:
        """`views.push`."""
        view = call.arguments.json("view", "invalid_arguments")
        return _answered(lambda: self._views.push(call.team, call.arguments.text("trigger_id"), view))

    def update(self, call: Call) -> Json:
        """`views.update`."""
        view = call.arguments.json("view", "invalid_arguments")
        name = call.arguments.text("view_id", "") or call.arguments.text("external_id")
        return _answered(lambda: self._views.update(call.team, name, view, call.arguments.text("hash", "")))

    def publish(self, call: Call) -> Json:
        """`views.publish`."""
        view = call.arguments.json("view", "invalid_arguments")
        user = call.arguments.text("user_id")
        return _answered(lambda: self._views.publish(call.team, user, view, call.arguments.text("hash", "")))


def _answered(show: Callable[[], View]) -> Json:
    try:
        return {"view": show().content}
    except ViewError as error:
        more = {"response_metadata": {"messages": error.messages}} if error.messages else {}
        raise ApiError(str(error), **more) from error

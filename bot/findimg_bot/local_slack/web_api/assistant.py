"""The Web API's methods for the assistant panel."""

from findimg_bot.local_slack.model.page_updates import PageUpdates
from findimg_bot.local_slack.model.panel import prompt_problems
from findimg_bot.local_slack.model.state import Channel, Json
from findimg_bot.local_slack.web_api.api import Api, ApiError, Call

_LOADING_MESSAGES = 10


class Assistant:
    """Sets what the panel of a direct message shows."""

    def __init__(self, page_updates: PageUpdates, has_panel: bool):
        """Args:
        has_panel: whether the manifest declares the panel.
        """
        self._page_updates = page_updates
        self._has_panel = has_panel

    def register(self, api: Api) -> None:
        """Register the methods."""
        api.methods |= {
            "assistant.threads.setSuggestedPrompts": (self.set_prompts, "assistant:write"),
            "assistant.threads.setStatus": (self.set_status, "chat:write"),
        }

    def set_prompts(self, call: Call) -> Json:
        """`assistant.threads.setSuggestedPrompts`. Apps with `agent_view` that name a thread get no prompts."""
        channel = self._panel(call)
        prompts = call.arguments.json("prompts", "invalid_arguments")
        if problems := prompt_problems(prompts):
            messages = [f"[ERROR] {problem}" for problem in problems]
            raise ApiError("invalid_arguments", response_metadata={"messages": messages})
        if not call.arguments.text("thread_ts", ""):
            panel = call.team.panel(channel.id)
            panel.title, panel.prompts = call.arguments.text("title", ""), list(prompts)
            self._page_updates.panel(call.team, channel)
        return {}

    def set_status(self, call: Call) -> Json:
        """`assistant.threads.setStatus`. An empty status removes it, and so does the app's next message there."""
        channel = self._panel(call)
        thread = call.arguments.text("thread_ts")
        if call.team.message(channel.id, thread) is None:
            raise ApiError("invalid_thread_ts")
        if len(call.arguments.json("loading_messages", "invalid_arguments") or ()) > _LOADING_MESSAGES:
            raise ApiError("invalid_arguments")
        statuses = call.team.panel(channel.id).statuses
        statuses.pop(thread, None)
        if status := call.arguments.text("status", ""):
            statuses[thread] = status
        self._page_updates.panel(call.team, channel)
        return {}

    def _panel(self, call: Call) -> Channel:
        channel = call.team.channel(call.arguments.text("channel_id"))
        if channel is None or call.team.bot.id not in channel.members:
            raise ApiError("channel_not_found")
        if not self._has_panel or not channel.is_im:
            raise ApiError("channel_type_not_supported")
        return channel

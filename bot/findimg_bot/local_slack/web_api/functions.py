"""The Web API's methods with which the app completes functions."""

from findimg_bot.local_slack.delivery.functions import Functions
from findimg_bot.local_slack.model.state import Json
from findimg_bot.local_slack.web_api.api import Api, ApiError, Call


class FunctionCompletion:
    """Completes the functions that run."""

    def __init__(self, functions: Functions):
        self._functions = functions

    def register(self, api: Api) -> None:
        """Register the methods. None needs a scope."""
        api.methods |= {
            "functions.completeSuccess": (self.succeed, ""),
            "functions.completeError": (self.fail, ""),
        }

    def succeed(self, call: Call) -> Json:
        """`functions.completeSuccess`."""
        outputs = call.arguments.json("outputs", "invalid_arguments")
        return _answered(self._functions.complete(call.arguments.text("function_execution_id"), outputs or {}))

    def fail(self, call: Call) -> Json:
        """`functions.completeError`."""
        reason = call.arguments.text("error")
        return _answered(self._functions.fail(call.arguments.text("function_execution_id"), reason))


def _answered(error: str) -> Json:
    if error:
        raise ApiError(error)
    return {}

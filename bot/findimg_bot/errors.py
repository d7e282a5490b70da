"""Errors of the bot, and the sentence that each error becomes for the person who asked."""

import logging

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from findimg.errors import FindimgError, ImageError, LibraryError, QueryError, StorageError

NOT_READY = (
    "Images cannot be searched at the moment. The operator of findimg can find the cause with findimg-bot doctor."
)
RATE_LIMITED = "Slack limits how often findimg may call it. Try again in a minute."
_NOT_A_MEMBER = "findimg is not a member of that channel. Invite it with /invite @findimg."
_TOO_LATE = "Slack allows only 3 seconds for that, and the answer came later. Try again."
_FILE_GONE = "Slack does not have that file any more, or findimg is not in its channel. Upload the file here."
_MESSAGE_GONE = "That message was deleted in Slack. Ask again."
# Errors of Slack that the person who asked can resolve.
_BY_PERSON = {
    "channel_not_found": _NOT_A_MEMBER,
    "expired_trigger_id": _TOO_LATE,
    "file_deleted": _FILE_GONE,
    "file_not_found": _FILE_GONE,
    "invalid_trigger": _TOO_LATE,
    "invalid_trigger_id": _TOO_LATE,
    "is_archived": "That channel is archived. Ask again in another channel.",
    "message_not_found": _MESSAGE_GONE,
    "not_in_channel": _NOT_A_MEMBER,
    "thread_not_found": _MESSAGE_GONE,
    "trigger_exchanged": "Slack already used that click. Click again.",
    "trigger_expired": _TOO_LATE,
}
_TOKEN = "Slack does not accept findimg's token ({code}). Ask the operator of findimg to install the app again."
_FORBIDDEN = "The workspace does not allow findimg to do that ({code}). Ask an administrator of Slack to allow it."
# Errors of Slack that do not pass by themselves. Only the operator or an administrator can resolve them.
_BY_OPERATOR = {
    **dict.fromkeys(
        ("account_inactive", "invalid_auth", "not_allowed_token_type", "not_authed", "token_expired", "token_revoked"),
        _TOKEN,
    ),
    **dict.fromkeys(
        (
            "access_denied",
            "app_not_allowed",
            "ekm_access_denied",
            "enterprise_is_restricted",
            "no_permission",
            "not_allowed",
            "org_login_required",
            "restricted_action",
            "restricted_action_non_threadable_channel",
            "restricted_action_read_only_channel",
            "restricted_action_thread_locked",
            "restricted_action_thread_only_channel",
            "team_access_not_granted",
            "team_added_to_org",
            "two_factor_setup_required",
            "user_is_restricted",
        ),
        _FORBIDDEN,
    ),
}
_EXPLAINED = {*_BY_PERSON, *_BY_OPERATOR, "missing_scope", "ratelimited"}
# What a call of Slack raises: Slack refuses it, or cannot be reached.
SLACK_ERRORS = (SlackClientError, aiohttp.ClientError, OSError)
_BROKEN = "An internal error prevented an answer. The operator of findimg finds the cause in the bot's log."
_log = logging.getLogger(__name__)


class BusyError(FindimgError):
    """The bot has too much to do to accept another question."""


class SlackAccessError(FindimgError):
    """Slack does not let findimg do what an answer needs. The text tells the person the reason."""


def is_user_fault(error: BaseException) -> bool:
    """Return whether the question caused an error, and not the bot, the library or Slack."""
    return isinstance(error, QueryError | ImageError)


def explain(error: Exception) -> str:
    """Return what to tell the person who asked, and log errors that the operator has to repair."""
    if is_user_fault(error) or isinstance(error, BusyError):
        return str(error)
    if isinstance(error, SlackAccessError):
        _log.warning("Slack denied access: %s", error)
        return str(error)
    if isinstance(error, LibraryError | StorageError):
        _log.error("The library cannot be searched: %s", error)
        return NOT_READY
    if isinstance(error, FindimgError):
        _log.error("A question could not be answered: %s", error)
        return _BROKEN
    if isinstance(error, SlackApiError) and error.response.get("error") in _EXPLAINED:
        return explain(access_error(error))
    if isinstance(error, SLACK_ERRORS):
        _log.warning("An answer could not be sent: %s", slack_failure(error))
        return f"The answer is ready but cannot be shown: {slack_failure(error)}. Try again in a minute."
    _log.error("A question could not be answered.", exc_info=error)
    return _BROKEN


def access_error(error: SlackApiError) -> FindimgError:
    """Return the reason for an error that Slack answered, as a sentence for the person who asked."""
    code = str(error.response.get("error"))
    if code == "missing_scope":
        needed = error.response.get("needed") or "that it needs"
        return SlackAccessError(
            f"findimg lacks the permission {needed}. Ask the operator of findimg to install the app again."
        )
    if code in _BY_PERSON:
        return QueryError(_BY_PERSON[code])
    if code in _BY_OPERATOR:
        return SlackAccessError(_BY_OPERATOR[code].format(code=code))
    return SlackAccessError(RATE_LIMITED if code == "ratelimited" else f"Slack answered {code}. Try again in a minute.")


def slack_failure(error: BaseException) -> str:
    """Return why a call of Slack failed, in a few words without a token or an address."""
    response = getattr(error, "response", None)
    if response is not None and (code := response.get("error")):
        return f"Slack answered {code}"
    if isinstance(error, TimeoutError):
        return "Slack took too long"
    if isinstance(error, StorageError):
        return "the library cannot be read"
    return f"Slack cannot be reached ({type(error).__name__})"

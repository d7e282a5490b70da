"""Runs all checks that apply to a bot."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from findimg.errors import FindimgError
from findimg.settings import Settings
from findimg_bot.doctor import library_checks, live_indexing_checks, slack_checks
from findimg_bot.doctor.setup import ProblemError, Setup
from findimg_bot.slack.manifest import Surfaces


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    ok: bool
    text: str  # what was found, or what to do


@dataclass(frozen=True, slots=True)
class Check:
    """One check, and for which bots it is made."""

    name: str
    run: Callable[[Setup], Awaitable[str]]  # returns what was found, and raises an error with what to do
    applies: Callable[[Setup], bool] = lambda setup: True


def _has_live_indexing_in_one_workspace(setup: Setup) -> bool:
    return setup.has_live_indexing and not setup.many_workspaces


# In this order: a check that fails for the reason of an earlier one is skipped.
CHECKS = (
    Check("state", library_checks.check_state),
    Check("library", library_checks.check_library),
    Check("word vectors", library_checks.check_words),
    Check("encoder", library_checks.check_encoder),
    Check("installation", slack_checks.check_installation, lambda setup: setup.many_workspaces),
    Check("bot token", slack_checks.check_bot_token, lambda setup: not setup.many_workspaces),
    Check("signing secret", slack_checks.check_signing_secret, lambda setup: setup.http),
    Check("app token", slack_checks.check_app_token, lambda setup: not setup.http),
    Check("allowed", slack_checks.check_allowed),
    Check("thumbnail", slack_checks.check_thumbnail),
    Check("live indexing", live_indexing_checks.check_extra, lambda setup: setup.has_live_indexing),
    Check("live library", live_indexing_checks.check_library_is_writable, lambda setup: setup.has_live_indexing),
    Check("live scopes", live_indexing_checks.check_channel_scopes, _has_live_indexing_in_one_workspace),
    Check("live channels", live_indexing_checks.check_channels, _has_live_indexing_in_one_workspace),
    Check("live catch-up", live_indexing_checks.check_catch_up, _has_live_indexing_in_one_workspace),
)


async def examine(settings: Settings, http: bool) -> list[Finding]:
    """Run all checks.

    Args:
        http: whether Slack reaches the bot over HTTP instead of Socket Mode.

    Raises:
        SettingsError: the settings name an unknown surface of Slack.
    """
    setup = Setup(settings, Surfaces.named(settings.slack_surfaces), http)
    findings: list[Finding] = []
    for check in CHECKS:
        if not check.applies(setup):
            continue
        try:
            findings.append(Finding(check.name, True, await check.run(setup)))
        except (ProblemError, FindimgError) as error:
            cause = next((finding.name for finding in findings if finding.text == str(error)), None)
            text = f'Skipped: fix "{cause}" first.' if cause else str(error)
            findings.append(Finding(check.name, False, text))
    return findings

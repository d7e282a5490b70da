"""Compare the retention times in SECURITY.md with the code."""

import re
from pathlib import Path

from findimg.models.artefacts import Download, known_artefacts
from findimg_bot.state.requests import REQUEST_SECONDS
from findimg_bot.state.store import EVENT_SECONDS, QUESTION_SECONDS
from findimg_jobs.maintenance.prune import DAY, GRACE, HISTORY, KEEP

SECURITY = (Path(__file__).parents[1] / "SECURITY.md").read_text()


def row(begins: str) -> str:
    (found,) = (line for line in SECURITY.splitlines() if line.startswith(f"| {begins}"))
    return found


def test_documented_retention_times_match_the_code() -> None:
    for begins, promised in (
        ("of an image", f"{GRACE:.0f} days"),
        ("older versions", f"newest {KEEP}"),
        ("plans and run reports", f"{HISTORY / DAY:.0f} days"),
        ("questions", f"{QUESTION_SECONDS / DAY:.0f} days"),
        ("requests that are not answered", f"{REQUEST_SECONDS / 60:.0f} minutes"),
        ("ids of Slack's events", f"{EVENT_SECONDS / DAY:.0f} day "),
    ):
        assert promised in row(begins)


def test_every_downloaded_model_has_a_hash() -> None:
    downloads = [artefact.origin for artefact in known_artefacts() if isinstance(artefact.origin, Download)]
    assert downloads
    for download in downloads:
        assert re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", download.digest)
        assert download.size is None or download.size > 0  # not every list of models has sizes
        assert download.url.startswith("https://")

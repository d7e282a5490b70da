"""Read the text of the live version's images, and publish a version that has it."""

from dataclasses import dataclass

from findimg.library.manifest import Manifest
from findimg.settings import Settings
from findimg_jobs.build.rebuild import VersionChange, publish_images
from findimg_jobs.build.write_session import write_to_live
from findimg_jobs.reporting.run_report import TextReport
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.plan import read_planned_images
from findimg_jobs.text_reading.text_stage import prepare_likely_text_reading, read_text


@dataclass(frozen=True, slots=True)
class LiveTextReport:
    """What was read, and the version that is live afterwards."""

    text: TextReport
    manifest: Manifest

    def lines(self) -> list[str]:
        """Return the result as lines of text for a person."""
        done = self.text.lines() or ["Text: all images were read before."]
        return [*done, f"Version {self.manifest.version} with {self.manifest.images} images is live."]


def read_live_text(settings: Settings) -> LiveTextReport:
    """Read the text of all images of the live version that are not read yet, and publish it.

    Without a mode in the settings, a first look decides what is read.

    Raises:
        ModelError: the extra `ocr` is not installed.
        FindimgError: nothing was published. What was read so far is kept.
    """
    reading = prepare_likely_text_reading(settings)
    with write_to_live(settings) as (session, live):
        storage = session.library.storage
        images, committed = read_planned_images(storage, live.run), read_committed(storage, live.fingerprint)
        text = read_text(session, reading, live.fingerprint, images, committed)
        manifest = publish_images(session, settings, live, VersionChange(live.run, images, allow_shrink=False))
    return LiveTextReport(text, manifest)

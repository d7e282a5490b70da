"""The commands that read text in images that are already indexed, and captions in their metadata."""

import json
from dataclasses import asdict

from findimg.command_settings import takes_settings
from findimg.settings import Settings
from findimg.terminal import print_lines
from findimg_jobs.cli.output import JsonOption, continued_by_a_rerun
from findimg_jobs.maintenance.read_missing_facts import read_missing_facts
from findimg_jobs.text_reading.live_text import read_live_text


@takes_settings("library", "read_text", "text_scripts", "engine", "ray_address", "cache")
def read_text(
    settings: Settings,
    as_json: JsonOption = False,
) -> None:
    """Read the text in the live version's images, as far as it is not read yet, and publish it. Default: likely."""
    with continued_by_a_rerun("read"):
        result = read_live_text(settings)
    if as_json:
        text = asdict(result.text) | {"images_per_second": result.text.images_per_second}
        print(json.dumps({"version": result.manifest.version, "text": text}))
    else:
        print_lines(result.lines())


@takes_settings("library", "cache")
def read_captions(settings: Settings) -> None:
    """Read the captions and perceptual hashes of images that an older release indexed without them.

    Nothing is embedded.
    """
    print_lines(read_missing_facts(settings).lines())

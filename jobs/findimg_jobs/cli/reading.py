"""The commands that read text in images that are already indexed, and captions in their metadata."""

import json
from dataclasses import asdict
from typing import Annotated

from findimg.settings import load_settings
from findimg.terminal import print_lines
from findimg_jobs.cli.options import CacheOption, JsonOption, LibraryOption, continued_by_a_rerun, setting
from findimg_jobs.maintenance.read_captions import read_missing_captions
from findimg_jobs.reading.catch_up import catch_up


def read_text(
    library: LibraryOption = None,
    read_text: Annotated[str | None, setting("read_text")] = None,
    text_scripts: Annotated[str | None, setting("text_scripts")] = None,
    engine: Annotated[str | None, setting("engine")] = None,
    ray_address: Annotated[str | None, setting("ray_address")] = None,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the text in the live version's images, as far as it is not read yet, and publish it. Default: likely."""
    settings = load_settings(
        library=library,
        read_text=read_text,
        text_scripts=text_scripts,
        engine=engine,
        ray_address=ray_address,
        cache=cache,
    )
    with continued_by_a_rerun("read"):
        result = catch_up(settings)
    if as_json:
        text = asdict(result.text) | {"images_per_second": result.text.images_per_second}
        print(json.dumps({"version": result.manifest.version, "text": text}))
    else:
        print_lines(result.lines())


def read_captions(library: LibraryOption = None, cache: CacheOption = None) -> None:
    """Read the captions of images that an older release indexed without them. Nothing is embedded."""
    print_lines(read_missing_captions(load_settings(library=library, cache=cache)).lines())

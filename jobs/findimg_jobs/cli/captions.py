"""The command that reads captions of images that an older release indexed."""

from findimg.settings import load_settings
from findimg.terminal import print_lines
from findimg_jobs.cli.options import CacheOption, LibraryOption
from findimg_jobs.maintenance.read_captions import read_missing_captions


def read_captions(library: LibraryOption = None, cache: CacheOption = None) -> None:
    """Read the captions of images that an older release indexed without them. Nothing is embedded."""
    print_lines(read_missing_captions(load_settings(library=library, cache=cache)).lines())

"""Where the files of a segment are while a version is built."""

from dataclasses import dataclass
from pathlib import Path

from findimg.library.layout import segment_folder
from findimg.library.library import Library
from findimg.library.manifest import SegmentEntry


@dataclass(frozen=True, slots=True)
class SegmentFiles:
    """A segment of a new version, and where its files are."""

    entry: SegmentEntry
    folder: Path  # on this machine; `fetch` gets files that it lacks
    is_new: bool  # not in the live version. Its folder has all its files, or none if a worker built and uploaded them

    def fetch(self, library: Library, *files: str) -> Path:
        """Make files of the segment available on this machine, and return the path of the first one.

        Raises:
            LibraryError: a file is missing or damaged.
            StorageError: the library cannot be read.
        """
        if all((self.folder / file).exists() for file in files):
            return self.folder / files[0]
        entries = self.entry.files | self.entry.build_files
        keys = {f"{segment_folder(self.entry.name)}/{file}": entries[file] for file in files}
        return library.fetch_files(keys) / next(iter(keys))

"""List the images of folders on this machine.

Folders are told apart by device and inode, so that a folder with several paths is listed once. Links are followed
last: an image that can be reached with and without a link gets the path without one.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from findimg.errors import SettingsError
from findimg.library.recognition import is_library
from findimg.storage.base import describe_sources
from findimg.storage.folder import file_etag
from findimg_jobs.listing.file_types import has_no_extension, is_image_content, reason_to_skip
from findimg_jobs.listing.listing import PartialListing
from findimg_jobs.listing.skip_rules import IGNORE_FILE, IGNORE_FILE_BYTES, FolderRules, SkipRules
from findimg_jobs.tables.source_records import Failure, FolderIdentity, SourceImage
from findimg_jobs.text_reading.sidecars import is_sidecar

# The path was deleted since it was listed, or it is a link to nothing.
_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_Inode = tuple[int, int]  # device and inode


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    root: str  # the source that it is in
    rules: FolderRules
    device: int | None = None  # of the folder above it, None for a source


class FolderWalk:
    """Lists folders and single files. Folders that were listed once are not listed again."""

    def __init__(self, rules: SkipRules, library: str | None, found: PartialListing):
        """Prepare a walk.

        Args:
            rules: the operator's patterns.
            library: the path of the library that is being written, None if it is not a folder.
            found: receives what is found.
        """
        self.found = found
        self.shared_roots: set[str] = set()  # sources whose folder was listed as part of another source
        self._rules = FolderRules(rules)
        self._library = _inode(library) if library else None
        self._seen: set[_Inode] = set()
        self._links: list[tuple[str, _Folder]] = []  # linked files

    def list(self, roots: Sequence[str]) -> None:
        """List the images of sources.

        Args:
            roots: absolute paths of existing folders or files.
        """
        plain, linked = deque[_Folder](), deque[_Folder]()
        for root in roots:
            if not os.path.isdir(root):
                self._add_file(root)
            elif library := self._library_above(root):
                self.found.libraries.add(library)
            else:
                queue = plain if os.path.realpath(root) == root else linked
                queue.append(_Folder(root, root, self._rules))
        while plain or linked:
            folder = (plain or linked).popleft()
            for below, is_link in self._list_folder(folder):
                (linked if is_link else plain).append(below)
        for path, folder in self._links:
            self._add_linked_file(path, folder)

    def _list_folder(self, folder: _Folder) -> Iterable[tuple[_Folder, bool]]:
        """List one folder. Return the folders in it, each with whether it is a link."""
        try:
            status = os.stat(folder.path)
            inode = status.st_dev, status.st_ino
            if inode in self._seen:
                self.shared_roots.add(folder.root)
                return []
            with os.scandir(folder.path) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            self._add_unreadable(folder.path, error)
            return []
        self._seen.add(inode)
        if inode == self._library or _is_library(folder.path, {entry.name for entry in entries}):
            self.found.libraries.add(folder.path)
            return []
        above = status.st_dev if folder.device is None else folder.device
        self.found.folders[folder.path] = FolderIdentity(status.st_ino, mounted=status.st_dev != above)
        rules = folder.rules
        if any(entry.name == IGNORE_FILE for entry in entries):
            rules = self._read_ignore_file(folder)
        below = []
        try:
            for entry in entries:
                if entry.is_symlink() and not self._can_follow(entry.path):
                    continue
                if entry.is_dir():
                    inside = self._rules_below(entry.path, folder.root, rules)
                    if inside:
                        below.append((_Folder(entry.path, folder.root, inside, status.st_dev), entry.is_symlink()))
                else:
                    self._add_entry(entry, _Folder(folder.path, folder.root, rules))
        except PermissionError as error:
            # A folder with read permission, but without search permission: its names are known and nothing else.
            self._add_unreadable(folder.path, error)
            return []
        return below

    def _add_entry(self, entry: os.DirEntry[str], folder: _Folder) -> None:
        reason = folder.rules.reason(_key(entry.path, folder.root))
        if not reason and not self._is_extensionless_image(entry):
            reason = reason_to_skip(entry.name)
        if is_sidecar(entry.name) and entry.is_file() and not folder.rules.reason(_key(entry.path, folder.root)):
            self.found.add_sidecar(entry.path, file_etag(entry.stat()))
        if reason:
            self.found.skipped[reason] += 1
        elif entry.is_symlink():
            self._links.append((entry.path, folder))
        else:
            self._add_file(entry.path)

    def _is_extensionless_image(self, entry: os.DirEntry[str]) -> bool:
        """Return whether a file without an extension is an image."""
        if not has_no_extension(entry.name) or not entry.is_file():
            return False
        try:
            return is_image_content(entry.path)
        except OSError:
            return False

    def _can_follow(self, link: str) -> bool:
        """Return whether a link has a readable target. Count or record it if it has not."""
        try:
            os.stat(link)
        except OSError as error:
            if error.errno in _NOT_FOUND:
                self.found.skipped["link to nothing"] += 1
            else:
                reason = f"The target of a link cannot be read: {error.strerror}."
                self.found.failures.append(Failure(link, "", reason, transient=True))
            return False
        return True

    def _add_linked_file(self, path: str, folder: _Folder) -> None:
        target = _inode(os.path.dirname(os.path.realpath(path)))
        # If the target's folder was listed, the target itself was listed or skipped there.
        if target in self._seen:
            self.shared_roots.add(folder.root)
        else:
            self._add_file(path)

    def _add_file(self, path: str) -> None:
        try:
            status = os.stat(path)
        except PermissionError:
            raise  # the folder has no search permission, so the caller records the folder
        except OSError as error:
            if error.errno not in _NOT_FOUND:
                self.found.failures.append(Failure(path, "", f"The file cannot be read: {error.strerror}.", True))
            return
        if stat.S_ISREG(status.st_mode):  # reading a pipe or a device may never end
            self.found.add_image(SourceImage(path, file_etag(status), status.st_mtime))
        else:
            self.found.skipped["pipe or device"] += 1

    def _rules_below(self, path: str, root: str, rules: FolderRules) -> FolderRules | None:
        """Return the rules for a sub-folder. Return None if it is skipped, and count it."""
        reason = rules.reason(_key(path, root) + "/")
        if reason and rules.searches_skipped_folders:
            return replace(rules, skipped_by=reason)
        if reason:
            self.found.skipped[f"{reason} (folder)"] += 1
            return None
        return replace(rules, skipped_by=None)

    def _read_ignore_file(self, folder: _Folder) -> FolderRules:
        try:
            with open(os.path.join(folder.path, IGNORE_FILE), "rb") as file:
                content = file.read(IGNORE_FILE_BYTES)
        except OSError as error:
            path = os.path.join(folder.path, IGNORE_FILE)
            self.found.failures.append(Failure(path, "", f"The file cannot be read: {error.strerror}.", True))
            return folder.rules
        below = _key(folder.path, folder.root)
        return folder.rules.with_ignore_file(f"{below}/" if below else "", content)

    def _add_unreadable(self, path: str, error: OSError) -> None:
        if error.errno in _NOT_FOUND:
            return  # deleted since it was listed
        reason = f"The folder cannot be read: {error.strerror}. Its images of the last version are kept."
        self.found.failures.append(Failure(path, "", reason, transient=True))
        self.found.unreadable.append(path)

    def _library_above(self, root: str) -> str | None:
        """Return the library that contains a source, None if there is none."""
        folder = os.path.realpath(root)
        while True:
            if self._library and _inode(folder) == self._library:
                return folder
            parent = os.path.dirname(folder)
            if parent == folder:
                return None
            folder = parent
            try:
                names = set(os.listdir(folder))
            except OSError:
                continue
            if _is_library(folder, names):
                return folder


def _is_library(folder: str, names: set[str]) -> bool:
    """Return whether a folder with these files and folders in it is a library that can be read."""

    def read(name: str) -> bytes:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read(200)

    try:
        return is_library(names, read, lambda name: os.listdir(os.path.join(folder, name)))
    except OSError:
        return False


def check_exists(path: str, source: str) -> None:
    """Check that a source exists.

    Raises:
        SettingsError: there is neither a folder nor a file at `path`.
    """
    if not os.path.exists(path):
        raise SettingsError(
            f"The source {source!r} does not exist. Give {describe_sources()}. "
            "If its disk is not mounted, mount it and run again."
        )


def _key(path: str, root: str) -> str:
    """Return a path relative to the source that contains it."""
    return path[len(root.rstrip("/")) + 1 :]


def _inode(path: str) -> _Inode | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino

from pathlib import Path

import pytest

from findimg.errors import SettingsError
from findimg.storage.base import open_storage
from findimg_jobs.listing.skip_rules import SkipRules
from findimg_jobs.listing.sources import list_sources

SKIPPED = [
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
    "2024/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
    "@Recycle/a.jpg",
    "#recycle/a.jpg",
    "#snapshot/a.jpg",
    ".Trash-1000/files/a.jpg",
    ".Trashes/501/a.jpg",
    "$RECYCLE.BIN/S-1-5/a.jpg",
    "$Recycle.Bin/a.jpg",
    ".stversions/a~20240101-101010.jpg",
    "~syncthing~a.jpg.tmp.jpg",
    ".thumbnails/large/a.png",
    ".git/a.png",
    "__MACOSX/a.jpg",
    "._a.jpg",
    "2024/._a.jpg",
    ".a.jpg",
    ".hidden/a.jpg",
    "Catalog Previews.lrdata/a.jpg",
    "Anna.photoslibrary/resources/derivatives/a.jpeg",
]
KEPT = ["a.jpg", "2024/eaDir/b.jpg", "recycle/c.jpg", "git/d.jpg", "e.._f.jpg", "Anna.photoslibrary/originals/0/g.jpeg"]


def listed(place: str, *, exclude: tuple[str, ...] = (), include: tuple[str, ...] = ()) -> list[str]:
    listing = list_sources([place], "/nowhere", rules=SkipRules(exclude, include))
    return sorted(image.uri.removeprefix(f"{place}/") for image in listing.images)


def test_default_rules_skip_what_is_not_a_photograph(place: str) -> None:
    storage = open_storage(place)
    for key in [*SKIPPED, *KEPT]:
        storage.write(key, b"x")
    assert listed(place) == sorted(KEPT)


def test_skipped_files_and_folders_are_counted_by_rule(place: str) -> None:
    storage = open_storage(place)
    for key in ("a.jpg", "@eaDir/1.jpg", "@eaDir/2.jpg", "b/@eaDir/3.jpg", "._a.jpg", ".b.jpg", "c.mp4", "d.MP4", "e"):
        storage.write(key, b"x")
    listing = list_sources([place], "/nowhere")
    assert listing.failures == []
    assert dict(listing.skipped) == {
        "@eaDir (folder)": 2,
        "._*": 1,
        "hidden": 1,
        "not an image: .mp4": 2,
        "not an image: no extension": 1,
    }


def test_exclude_skips_with_gitignore_patterns(place: str) -> None:
    storage = open_storage(place)
    for key in ("a.jpg", "a.png", "drafts/b.jpg", "2024/drafts/c.jpg", "2024/d_preview.jpg", "top/drafts2/e.jpg"):
        storage.write(key, b"x")
    assert listed(place, exclude=("drafts/", "*_preview.jpg")) == ["a.jpg", "a.png", "top/drafts2/e.jpg"]
    assert listed(place, exclude=("/drafts/", "*.png")) == [
        "2024/d_preview.jpg",
        "2024/drafts/c.jpg",
        "a.jpg",
        "top/drafts2/e.jpg",
    ]


def test_include_indexes_what_another_rule_skips(place: str) -> None:
    storage = open_storage(place)
    for key in (".scans/a.jpg", ".scans/._a.jpg", ".other/b.jpg", "drafts/c.jpg", "drafts/d.jpg"):
        storage.write(key, b"x")
    assert listed(place, exclude=("drafts/",), include=(".scans/", "drafts/d.jpg")) == [".scans/a.jpg", "drafts/d.jpg"]


def test_ignore_file_applies_to_its_folder_and_below(place: str) -> None:
    storage = open_storage(place)
    storage.write(".findimgignore", b"# drafts are not shown\n*.png\n!keep.png\n")
    storage.write("team/.findimgignore", b"/secret/\r\n!.shown/\n")
    for key in ("a.jpg", "b.png", "keep.png", "team/c.png", "team/secret/d.jpg", "secret/e.jpg", "team/.shown/f.jpg"):
        storage.write(key, b"x")
    assert listed(place) == ["a.jpg", "keep.png", "secret/e.jpg", "team/.shown/f.jpg"]


def test_ignore_file_with_invalid_bytes_keeps_its_valid_lines(tmp_path: Path) -> None:
    (tmp_path / ".findimgignore").write_bytes(b"\xff\xfe!\n!\n*.png\n")
    for name in ("a.jpg", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    assert listed(str(tmp_path)) == ["a.jpg"]


def test_hidden_source_is_listed(tmp_path: Path) -> None:
    open_storage(tmp_path).write(".photos/a.jpg", b"x")
    assert listed(str(tmp_path / ".photos")) == ["a.jpg"]


@pytest.mark.parametrize("rules", [SkipRules(exclude=("!",)), SkipRules(include=("!",))])
def test_invalid_pattern_is_refused(tmp_path: Path, rules: SkipRules) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(SettingsError, match=r"--(exclude|include) needs a pattern .* Received: '!'"):
        list_sources([str(tmp_path)], "/nowhere", rules=rules)

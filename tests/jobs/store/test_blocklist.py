import hashlib
import unicodedata

import pytest

from findimg.storage.base import open_storage
from findimg_jobs.store.blocklist import block, is_blocked, unblock, without_blocked
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import SourceImage

COMPOSED = unicodedata.normalize("NFC", "/photos/Été/ガ.jpg")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


@pytest.mark.parametrize(("typed", "stored"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), (COMPOSED, COMPOSED)])
def test_unicode_form_of_a_name_does_not_matter(place: str, typed: str, stored: str) -> None:
    storage = open_storage(place)
    other = SourceImage("/photos/other.jpg", "1")
    block(storage, typed)
    assert is_blocked(storage, stored)
    assert list(without_blocked(storage, ImageTable.of([SourceImage(stored, "1"), other]))) == [other]
    unblock(storage, stored)
    assert not is_blocked(storage, typed)


def test_entry_of_an_earlier_version_still_blocks(place: str) -> None:
    storage = open_storage(place)
    storage.create(f"forgotten/{hashlib.sha256(DECOMPOSED.encode()).hexdigest()}", b"")
    assert list(without_blocked(storage, ImageTable.of([SourceImage(DECOMPOSED, "1")]))) == []

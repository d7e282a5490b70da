from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

import findimg.library.catalog
from findimg.images import decode
from findimg.images.facts import FactColumn
from findimg.library.library import Library
from findimg.settings import Settings
from findimg_jobs.build_config.build_context import hash_recipe, make_build_context
from findimg_jobs.indexing.run import index
from findimg_jobs.segments.catalog_draft import DraftColumn
from tests.opened import open_catalog


@pytest.mark.parametrize(
    ("store_type", "values"),
    [
        ("string", ["Nikon", None, "", "Canon", "Nikon"]),
        ("int32", [400, None, 0, -1]),
        ("int64", [2**40, None]),
        ("timestamp[s]", [datetime(2024, 6, 1, 12), None, datetime(1901, 1, 1)]),
    ],
)
def test_draft_keeps_facts_of_several_shards_and_missing_ones(store_type: str, values: list[Any]) -> None:
    column = DraftColumn("camera", store_type)
    shards = [pa.chunked_array([pa.array(part, pa.type_for_alias(store_type))]) for part in (values, values[::-1])]
    stored = [value for shard in shards for value in column.encode(shard).astype(column.dtype).tolist()]
    assert [column.decode(value) for value in stored] == values + values[::-1]


def test_catalog_has_the_facts_of_the_file(tmp_path: Path, cache: Path) -> None:
    exif = Image.Exif()
    exif[IFD.Exif] = {Base.DateTimeOriginal: "2024:06:01 12:30:05"}
    photo = tmp_path / "photos" / "a.png"
    photo.parent.mkdir()
    Image.effect_noise((301, 200), 80).save(photo, exif=exif)
    settings = Settings(library=str(tmp_path / "library"), engine="local", cache=cache)
    index(settings, [str(photo.parent)])
    catalog = open_catalog(Library(settings.library, cache).open())
    # The text index has the captions, and a file of the segment the perceptual hash.
    assert catalog.row(0).facts == replace(decode(photo.read_bytes()).facts, captions=None, perceptual_hash=None)
    assert catalog.row(0).facts.taken == datetime(2024, 6, 1, 12, 30, 5)
    catalog.close()


def test_new_column_of_the_catalog_has_segments_written_again(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(library=str(tmp_path), engine="local", cache=cache)
    config = make_build_context(settings, None, []).config
    before = hash_recipe(config)
    camera = FactColumn("camera", store_type="string", catalog_type="TEXT", added=True)
    monkeypatch.setattr(findimg.library.catalog, "_FACTS", [*findimg.library.catalog._FACTS, camera])
    assert hash_recipe(config) != before

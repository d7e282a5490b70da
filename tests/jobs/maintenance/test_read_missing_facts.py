from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from skimage import data

from findimg.library.library import Library
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.text.vectors import EMBEDDED, open_words
from findimg_jobs.indexing.run import index
from findimg_jobs.maintenance.read_missing_facts import read_missing_facts
from findimg_jobs.store.shards import ShardStats, commit_table, read_shards, read_table


def found(settings: Settings, text: str) -> list[str]:
    searcher = Searcher(Library(settings.library, settings.cache).open(), open_words(EMBEDDED))
    try:
        return [Path(hit.uri).name for hit in searcher.find(parse(text), 10).hits]
    finally:
        searcher.close()


def test_captions_of_images_from_an_older_release_are_read_without_embedding(tmp_path: Path, cache: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    texts = PngInfo()
    texts.add_text("Title", "Wombat parade")
    Image.fromarray(data.coins()).save(photos / "coins.png", pnginfo=texts)
    Image.fromarray(data.moon()).save(photos / "moon.png")
    settings = Settings(library=str(tmp_path / "library"), engine="local", cache=cache)
    index(settings, [str(photos)])
    library = Library(settings.library, settings.cache)
    fingerprint = library.manifest(library.live_version()).fingerprint
    (shard,) = read_shards(library.storage, fingerprint)
    table = read_table(library.storage, fingerprint, shard.name)
    # Older releases wrote no captions.
    commit_table(library.storage, fingerprint, table.drop_columns(["captions"]), (), ShardStats(shard.name, 2, 2, 0, 0))
    (tmp_path / "library" / "CURRENT").unlink()
    assert index(settings, [str(photos)]).embedded == 0
    assert found(settings, "caption:wombat") == []
    (photos / "moon.png").rename(tmp_path / "elsewhere")
    report = read_missing_facts(settings)
    assert (report.images, report.captioned, report.failed) == (1, 1, 1)
    assert found(settings, "caption:wombat") == ["coins.png"]
    (tmp_path / "elsewhere").rename(photos / "moon.png")
    assert read_missing_facts(settings).images == 1
    assert read_missing_facts(settings).images == 0
    assert index(settings, [str(photos)]).embedded == 0

from findimg_jobs.store.planned_shards import PlannedShards, divide_work
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import SourceImage

OLD, NEW, AWAY = (SourceImage(name, "1") for name in ("old", "new", "away"))


def test_images_that_two_encoders_lack_are_embedded_together() -> None:
    first, second = (PlannedShards(ImageTable.of(images), "f", 10) for images in ((AWAY, NEW), (NEW, OLD)))
    work = divide_work(first, second)
    assert [list(each.images) for each in (work.both, work.first, work.second)] == [[NEW], [AWAY], [OLD]]

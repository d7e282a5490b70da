"""Prune, verify and forget know the examples of taught names."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from findimg.library.layout import taught_thumbnail_key, thumbnail_key
from findimg.library.library import Library
from findimg.storage.base import open_storage
from findimg.taught.events import Example
from findimg.taught.log import TaughtLog
from findimg.taught.teaching import Lesson, add_lesson, remove_name
from findimg_jobs.maintenance.prune import DAY, prune
from findimg_jobs.maintenance.taught_names import verify_taught
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.reporting.run_report import RunReport
from tests.jobs.maintenance.test_prune import age, pretend
from tests.shared.taught.examples import made_up_example

Run = Callable[..., RunReport]


def upload(number: int) -> tuple[Example, dict[str, bytes]]:
    """Return a made-up example from outside the library, and its thumbnail."""
    example = made_up_example(number)
    example = Example(example.sha256, example.vector, example.fingerprint)
    return example, {example.sha256: b"a thumbnail"}


def test_prune_keeps_the_thumbnails_of_examples(tmp_path: Path, pictures: Path, run: Run, cache: Path) -> None:
    library = Library(str(tmp_path / "library"), cache)
    run(library.uri, pictures, shard_size=1)
    first, *others, last = sorted(pictures.iterdir())
    gone = hashlib.sha256(first.read_bytes()).hexdigest()
    before = library.live_version()
    log = TaughtLog(library.storage)
    taken_back, small = upload(1)
    add_lesson(
        library.storage, log, "T1/U1", Lesson("stand", [Example(gone, np.ones(3, np.float16), "x", "/gone.png")])
    )
    kept, more = upload(2)
    add_lesson(library.storage, log, "T1/U1", Lesson("booth", [kept], (), more))
    add_lesson(library.storage, log, "T1/U1", Lesson("mistake", [taken_back], (), small))
    remove_name(log, "T1/U1", "mistake")
    for path in (first, *others):
        path.unlink()
    run(library.uri, pictures, shard_size=1, allow_shrink=True)
    pretend(library, before, hours=2)
    age(Path(library.uri), 8 * DAY)
    prune(library, 1, keep=0)
    assert library.storage.exists(thumbnail_key(gone))
    assert library.storage.exists(taught_thumbnail_key(kept.sha256))
    assert not library.storage.exists(taught_thumbnail_key(taken_back.sha256))
    kept_hashes = {Path(each.key).stem for each in library.storage.list("thumbnails")}
    assert kept_hashes == {gone, hashlib.sha256(last.read_bytes()).hexdigest()}


def test_verify_names_damaged_events_and_lost_thumbnails(tmp_path: Path, pictures: Path, run: Run, cache: Path) -> None:
    library = Library(str(tmp_path / "library"), cache)
    run(library.uri, pictures)
    log = TaughtLog(library.storage)
    example, small = upload(1)
    add_lesson(library.storage, log, "T1/U1", Lesson("booth", [example], (), small))
    assert verify(library, library.manifest(library.live_version())).taught == []
    library.storage.delete(taught_thumbnail_key(example.sha256))
    (event,) = library.storage.list("taught/events")
    library.storage.write(event.key.replace(".json", "0.json"), b"{}")
    findings = verify(library, library.manifest(library.live_version()))
    assert findings.problems == []
    damaged, lost = findings.taught
    assert "is not a taught event" in damaged
    assert f"The example {example.sha256} of 'booth' has no thumbnail" in lost


@pytest.mark.parametrize("where", ["s3", "folder"])
def test_taught_names_are_verified_everywhere(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    storage = open_storage(str(tmp_path) if where == "folder" else request.getfixturevalue("s3"))
    example, small = upload(1)
    add_lesson(storage, TaughtLog(storage), "T1/U1", Lesson("booth", [example], (), small))
    assert verify_taught(storage) == []

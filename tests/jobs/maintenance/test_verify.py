import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from findimg.index.vector_types.base import index_files, index_type
from findimg.library.library import Library
from findimg.library.manifest import FileEntry, Manifest
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.reporting.run_report import RunReport
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.shards import shard_folder

Run = Callable[..., RunReport]


@pytest.fixture
def library(tmp_path: Path, pictures: Path, draw: Callable[[Path, int], None], run: Run, cache: Path) -> Library:
    """Return a library of forty images, projected to two dimensions."""
    for number in range(6, 40):
        draw(pictures / f"{number}.png", number)
    run(str(tmp_path / "library"), pictures, visual_dim="2")
    return Library(str(tmp_path / "library"), cache)


def live(library: Library) -> Manifest:
    return library.manifest(str(library.find_live_version()))


def folder_of(library: Library) -> Path:
    """Return the folder of the live version's only segment."""
    (segment,) = live(library).segments
    return Path(library.storage.uri(live(library).segment_folder(segment)))


def restate(library: Library, **changes: object) -> Manifest:
    """Write a manifest with the current hashes and sizes of the files."""
    folder = folder_of(library)
    (segment,) = live(library).segments
    files = {name: FileEntry.of(folder / name) for name in segment.files}
    restated = segment.model_copy(update={"files": files, **changes})
    manifest = live(library).model_copy(update={"segments": [restated]})
    library.storage.write(
        f"versions/{manifest.version}/manifest.json", manifest.model_dump_json(by_alias=True).encode()
    )
    return manifest


def test_sound_version_has_no_problems(library: Library) -> None:
    findings = verify(library, live(library))
    assert findings.problems == []
    assert findings.compared == 40
    assert set(findings.recall) == {"visual", "joint"}
    assert min(findings.recall.values()) >= 0.98


def test_version_in_s3_is_verified(s3: str, pictures: Path, run: Run, cache: Path) -> None:
    run(f"{s3}/library", pictures)
    library = Library(f"{s3}/library", cache)
    assert verify(library, live(library)).problems == []
    manifest = live(library)
    library.storage.delete(f"{manifest.segment_folder(manifest.segments[0])}/visual.f16")
    (problem,) = verify(library, live(library)).problems
    assert problem.endswith("visual.f16 is missing.")


def test_gap_in_the_catalog_is_found(library: Library) -> None:
    with closing(sqlite3.connect(folder_of(library) / "catalog.sqlite")) as catalog:
        catalog.execute("DELETE FROM images WHERE item = 7")
        catalog.commit()
    (problem,) = verify(library, restate(library)).problems
    assert problem == "The catalog has 39 rows. They are not the items 0 to 39 of the manifest."


def test_wrong_counts_are_found(library: Library) -> None:
    manifest = restate(library, images=39)
    problems = verify(library, manifest).problems
    assert any("are not the items 0 to 38" in problem for problem in problems)
    assert "visual.f16 does not have 39 rows of 1280 dimensions." in problems
    assert "The joint index has 40 items. The manifest states 39 images." in problems


def test_swapped_catalog_rows_are_found(library: Library) -> None:
    with closing(sqlite3.connect(folder_of(library) / "catalog.sqlite")) as catalog:
        for item, other in ((3, 90), (4, 3), (90, 4)):
            catalog.execute("UPDATE images SET item = ? WHERE item = ?", (other, item))
        catalog.commit()
    problems = verify(library, restate(library)).problems
    assert sorted(problem.split(" is not ")[0] for problem in problems) == [
        "Row 3 of visual.f16",
        "Row 4 of visual.f16",
    ]


def test_row_with_wrong_content_hash_is_found(library: Library) -> None:
    with closing(sqlite3.connect(folder_of(library) / "catalog.sqlite")) as catalog:
        catalog.execute("UPDATE images SET sha256 = 'other' WHERE item = 3")
        catalog.commit()
    (problem,) = verify(library, restate(library)).problems
    assert problem.startswith("Row 3 of the catalog, ")


def test_index_of_other_images_is_found(library: Library) -> None:
    manifest = live(library)
    others = np.random.default_rng(1).standard_normal((40, manifest.visual.dim)).astype(np.float32)
    (name,) = index_files("visual", manifest.visual)
    index_type(manifest.visual.type).build(others, folder_of(library) / name)
    problems = verify(library, restate(library)).problems
    assert any("images are not found by their own vectors in the visual index." in problem for problem in problems)
    assert any(problem.startswith("The visual index has a recall of") for problem in problems)


def test_damaged_shard_is_reported_and_removed_shard_is_ignored(library: Library) -> None:
    manifest = live(library)
    (name,) = read_committed(library.storage, manifest.fingerprint).shards
    folder = shard_folder(manifest.fingerprint, name)
    library.storage.write(f"{folder}/vectors.parquet", b"PAR1")
    (problem,) = verify(library, manifest).problems
    assert "vectors.parquet is missing or damaged" in problem
    library.storage.clear(folder)
    findings = verify(library, manifest)
    assert (findings.problems, findings.compared) == ([], 0)

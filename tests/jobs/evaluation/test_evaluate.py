"""Test the figures of a version, on labelled samples and on 400 photographs of classes that were not tuned on."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import findimg_jobs.evaluation.evaluate
import findimg_jobs.evaluation.heads
from findimg.errors import LibraryError, SettingsError
from findimg.heads.conse import Conse
from findimg.library.library import Library, Version
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import EMBEDDED, WordVectors, open_words
from findimg_jobs.evaluation.evaluate import evaluate
from findimg_jobs.evaluation.figures import LabelFigures
from findimg_jobs.evaluation.labels import correct_tags, label_of_folder, read_labels
from findimg_jobs.indexing.run import index
from tests.jobs.command import call

LABELLED = {
    "bottle_cap": ["bottle-cap.jpg"],
    "car": ["car-blue.jpg", "car-desert.jpg"],
    "dog": ["bull-mastiff.jpg", "dalmatian.jpg"],
    "motorcycle": ["motorcycle-left.png", "motorcycle-right.png"],
    "xqzzvk": ["coffee.png"],
}
UNLABELLED = ["cat.png", "eagle.jpg", "pagoda.jpg"]


@pytest.fixture(scope="module")
def labelled(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with sample photographs in sub-folders named after their content, and some beside these."""
    folder = tmp_path_factory.mktemp("labelled")
    for label, names in LABELLED.items():
        for name in names:
            (folder / label).mkdir(exist_ok=True)
            shutil.copy(samples / name, folder / label / name)
    for name in UNLABELLED:
        shutil.copy(samples / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def settings(labelled: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return settings with a published library of the labelled photographs."""
    settings = Settings(library=str(tmp_path_factory.mktemp("library")), cache=cache, engine="local")
    index(settings, [str(labelled)])
    return settings


@pytest.fixture
def searcher(settings: Settings) -> Iterator[Searcher]:
    """Yield a searcher that counts no text, as in an evaluation, because labels are names of folders."""
    version = Library(settings.library, settings.cache).open()
    with closing(Searcher(version, open_words(EMBEDDED), text_kinds=())) as searcher:
        yield searcher


def by_label(figures: tuple[LabelFigures, ...]) -> dict[str, LabelFigures]:
    return {each.label: each for each in figures}


def test_labels_are_searched_as_words(settings: Settings, labelled: Path, searcher: Searcher) -> None:
    measured = evaluate(settings, [str(labelled)])
    for name in ("car", "dog", "motorcycle"):
        answer = by_label(measured.labels)[name].text
        assert answer is not None
        assert [hit for hit, _ in answer.hits] == searcher.find(parse(name), 10).hits
        judged = [Path(hit.uri).parent.name for hit, _ in answer.hits if Path(hit.uri).parent != labelled]
        assert answer.precision[0] == (judged[0] == name)
        assert answer.precision[1] == judged[:2].count(name) / 2
        assert answer.precision[-1] == judged[:10].count(name) / 2
    assert measured.text is not None
    assert measured.text.queries == len(LABELLED)


def test_query_image_is_excluded_from_its_answer(settings: Settings, labelled: Path) -> None:
    measured = evaluate(settings, [str(labelled)])
    assert measured.similar is not None
    assert measured.similar.queries == 6
    for label in measured.labels:
        assert len(label.similar) == (label.images if label.images > 1 else 0)
        for answer in label.similar:
            assert answer.query not in [hit.uri for hit, _ in answer.hits]
    motorcycles = by_label(measured.labels)["motorcycle"].similar
    assert [answer.precision[0] for answer in motorcycles] == [1, 1]


def test_hits_without_a_label_are_ignored(settings: Settings, labelled: Path) -> None:
    measured = evaluate(settings, [str(labelled)])
    answers = [answer for label in measured.labels for answer in (label.text, *label.similar) if answer]
    shown = [(Path(hit.uri), label) for answer in answers for hit, label in answer.hits]
    assert any(label is None for _, label in shown)
    for path, label in shown:
        assert label == (None if path.parent == labelled else label_of_folder(path.parent.name))


def test_images_that_are_not_indexed_are_counted_only(settings: Settings, labelled: Path, tmp_path: Path) -> None:
    shutil.copytree(labelled / "car", tmp_path / "car")
    measured = evaluate(settings, [str(tmp_path), str(labelled)])
    assert (measured.images, measured.not_indexed) == (8, 2)
    assert by_label(measured.labels)["car"].images == 2


def test_unknown_label_finds_nothing_and_is_reported(settings: Settings, labelled: Path) -> None:
    measured = evaluate(settings, [str(labelled)])
    answer = by_label(measured.labels)["xqzzvk"].text
    assert answer is not None
    assert (answer.hits, set(answer.precision), answer.average) == ((), {0}, 0)
    (note,) = measured.notes
    assert note.startswith("'xqzzvk' finds nothing: The word 'xqzzvk' is unknown.")


def test_labels_are_sorted_worst_first(settings: Settings, labelled: Path) -> None:
    answers = [label.text for label in evaluate(settings, [str(labelled)]).labels]
    worth = [(answer.precision[-1], answer.average) for answer in answers if answer]
    assert worth == sorted(worth)


def test_recall_of_every_index_is_compared_with_the_manifest(
    settings: Settings, labelled: Path, searcher: Searcher
) -> None:
    visual, joint = evaluate(settings, [str(labelled)]).indexes
    assert (visual.index, visual.queries) == ("visual", 8)
    assert joint.index == "joint"
    assert joint.queries > 300
    assert searcher.manifest.joint is not None
    assert (visual.stated, joint.stated) == (searcher.manifest.visual.recall, searcher.manifest.joint.recall)
    assert min(visual.measured, joint.measured) > 0.9


def test_large_image_sets_are_sampled_in_even_steps(
    settings: Settings, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findimg_jobs.evaluation.evaluate, "MAX_QUERY_IMAGES", 4)
    measured = evaluate(settings, [str(labelled)])
    assert measured.tags is not None
    assert measured.tags.images == 4
    assert "4 of 8 images were used as queries and tagged, in even steps." in measured.notes
    assert len([label for label in measured.labels if label.tags]) == 4


def test_trained_head_is_judged_on_seen_and_unseen_labels(
    settings: Settings, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Trained(Conse):
        labels = ("motorcycle", "bottle cap")

    def open_version_head(version: Version, words: WordVectors) -> Conse:
        return Trained(words, open_lexicon())

    untrained = evaluate(settings, [str(labelled)]).heads
    assert [(head.head, head.seen, head.unseen) for head in untrained] == [("conse", None, None)]
    monkeypatch.setattr(findimg_jobs.evaluation.heads, "open_version_head", open_version_head)
    measured = evaluate(settings, [str(labelled)])
    assert "may have been trained on some of these images" in measured.notes[-1]
    (head,) = measured.heads
    assert head.all is not None
    assert head.seen is not None
    assert head.unseen is not None
    assert (head.all.queries, head.seen.queries, head.unseen.queries) == (5, 2, 3)
    mean = (2 * head.seen.precision[0] + 3 * head.unseen.precision[0]) / 5
    assert head.all.precision[0] == pytest.approx(mean)


def test_version_without_words_is_measured_by_similarity_only(
    settings: Settings, labelled: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    shutil.copytree(settings.library, library)
    (path,) = library.glob("versions/*/manifest.json")
    content = json.loads(path.read_text())
    (segment,) = content["segments"]
    segment["joint"] = None
    path.write_text(json.dumps(content))
    measured = evaluate(settings.model_copy(update={"library": str(library)}), [str(labelled)])
    assert measured.similar is not None
    assert (measured.text, measured.tags, measured.heads) == (None, None, ())
    assert [note.split(":")[0] for note in measured.notes] == [
        "Text → image was not measured",
        "Tags were not measured",
    ]


def test_top_folder_is_the_label_and_the_first_source_wins(tmp_path: Path, samples: Path) -> None:
    for path in ("all/grand_piano/2024/a.png", "all/_/b.png", "all/c.png", "all/notes/readme.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(samples / "cat.png", tmp_path / path)
    both = [str(tmp_path / "all"), str(tmp_path / "all" / "grand_piano")]
    found = {os.path.relpath(uri, tmp_path): label for uri, label in read_labels(both, "elsewhere").items()}
    assert found == {"all/grand_piano/2024/a.png": "grand piano"}


def test_labels_can_be_read_from_s3(s3: str, samples: Path) -> None:
    open_storage(f"{s3}/team").upload(samples / "cat.png", "cat/1.png")
    assert read_labels([f"{s3}/team"], "elsewhere") == {f"{s3}/team/cat/1.png": "cat"}
    assert read_labels([s3], "elsewhere") == {f"{s3}/team/cat/1.png": "team"}


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("grand_piano", "grand piano"),
        ("__cup_", "cup"),
        ("cafe\u0301", "café"),
        ("red\x1b[31m\ncar", "red [31m car"),
        ("_", ""),
    ],
)
def test_folder_name_becomes_a_label(folder: str, label: str) -> None:
    assert label_of_folder(folder) == label


@pytest.mark.parametrize(
    ("label", "right", "wrong"),
    [
        ("dalmatian", {"dalmatian", "dog", "canine", "mammal", "animal"}, {"organism", "object", "cat"}),
        ("helicopter", {"helicopter", "aircraft", "vehicle"}, {"airplane", "artifact"}),
        ("cars", {"cars", "car", "vehicle"}, {"truck"}),
        ("very wet dog", {"very wet dog", "dog", "animal"}, {"wolf"}),
        ("xyzzy", {"xyzzy"}, {"thing"}),
    ],
)
def test_names_of_the_label_and_its_ancestors_are_correct_tags(label: str, right: set[str], wrong: set[str]) -> None:
    words = correct_tags(label, open_lexicon())
    assert right <= words
    assert not wrong & words


def test_invalid_evaluation_is_rejected(settings: Settings, labelled: Path, samples: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"No sub-folder of .* holds an image\. Sort the images"):
        evaluate(settings, [str(labelled / "car")])
    shutil.copytree(labelled / "car", tmp_path / "else" / "car")
    with pytest.raises(LibraryError, match=r"None of the 2 labelled images, such as .*car-blue\.jpg, is in .*index"):
        evaluate(settings, [str(tmp_path / "else")])
    with pytest.raises(SettingsError, match="does not exist"):
        evaluate(settings, [str(tmp_path / "nowhere")])
    with pytest.raises(LibraryError, match="Nothing is published"):
        evaluate(settings.model_copy(update={"library": str(tmp_path / "empty")}), [str(labelled)])


def run(settings: Settings, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    folder, cache = Path(settings.library).parent, str(settings.cache)
    return call(folder, "evaluate", *arguments, "--library", settings.library, FINDIMG_CACHE=cache)


def test_evaluate_command_prints_json_and_writes_a_report(settings: Settings, labelled: Path, tmp_path: Path) -> None:
    done = run(settings, labelled, "--json", "--report", tmp_path / "report.html")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    measured = evaluate(settings, [str(labelled)]).as_dict()
    assert result | {"seconds": 0} == measured | {"seconds": 0}
    assert {"precision@1", "precision@5", "precision@10", "map", "queries"} == result["text"].keys()
    assert {each["label"] for each in result["per_label"]} == {label_of_folder(name) for name in LABELLED}
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_evaluate_command_prints_tables_and_reports_an_unwritable_file(
    settings: Settings, labelled: Path, tmp_path: Path
) -> None:
    result = run(settings, labelled)
    assert result.returncode == 0
    for part in ("Judged on 8 images in 5 labels", "Text → image", "hit@5", "visual", "bottle cap"):
        assert part in result.stdout
    (tmp_path / "file").touch()
    failed = run(settings, labelled, "--report", tmp_path / "file" / "report.html")
    assert failed.returncode == 2
    assert "report.html cannot be written" in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1
    assert run(settings, labelled, "--report", tmp_path).returncode == 2


@pytest.mark.slow
def test_photographs_reach_the_documented_figures(photos: Path, cache: Path, tmp_path: Path) -> None:
    settings = Settings(library=str(tmp_path / "library"), cache=cache, engine="local")
    index(settings, [str(photos / "unseen")])
    measured = evaluate(settings, [str(photos / "unseen")])
    print(json.dumps(measured.as_dict()))
    assert (measured.images, len(measured.labels), measured.not_indexed) == (400, 20, 0)
    assert measured.text is not None
    assert measured.similar is not None
    assert measured.tags is not None
    (head,) = measured.heads
    assert head.all is not None
    assert measured.text.precision[-1] >= 0.88
    assert measured.text.mean_average_precision is not None
    assert measured.text.mean_average_precision >= 0.85
    assert measured.text.precision[-1] > head.all.precision[-1]
    assert measured.similar.precision[-1] >= 0.85
    assert measured.tags.among_five >= 0.8
    assert measured.seconds < 30

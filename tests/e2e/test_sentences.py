"""Search by sentence through the whole product: Ray, evaluation, the bot and a new version."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import findimg
from findimg.library.library import Library
from findimg.search.query import parse
from findimg.settings import Settings
from findimg_bot.question_results import ImageResults, TagResults, example_words, find_results
from findimg_bot.questions import read_terminal_command
from findimg_bot.served_library import ServedLibrary
from findimg_jobs.evaluation.evaluate import evaluate
from findimg_jobs.indexing.run import index
from findimg_jobs.maintenance.prune import prune
from findimg_jobs.maintenance.verify import verify
from tests.sentences import draw_things, publish_things, settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Return a folder with a library that Ray indexed. The model is gone, as on a reader's machine."""
    folder = tmp_path_factory.mktemp("sentences")
    publish_things(folder, cache, engine="ray")
    (folder / "model").rename(folder / "elsewhere")
    return folder


def kinds(served: ServedLibrary, text: str) -> list[str]:
    with served.lend() as searcher:
        found = find_results(searcher, read_terminal_command(f"/findimg {text}"), 8)
    assert isinstance(found, ImageResults)
    return [Path(hit.uri).stem.rpartition("-")[0] for hit in found.hits if hit.score > 0.3]


def test_reader_needs_neither_weights_nor_ray_nor_tensorflow(place: Path) -> None:
    script = """
import json, sys, findimg
with findimg.open(sys.argv[1], cache=sys.argv[2]) as library:
    early = "onnxruntime" in sys.modules
    hits = [hit.uri for hit in library.search("a photo of the sea -snow")]
    tags = [tag.word for tag in library.tags(sys.argv[3])]
    similar = library.similar(sys.argv[3], k=1)[0].uri
print(json.dumps([early, hits, tags, similar, sorted({"ray", "tensorflow", "keras"} & sys.modules.keys())]))
"""
    image = place / "other.png"
    shutil.copyfile(place / "pictures" / "snow-0.png", image)
    with image.open("ab") as file:
        file.write(b"\0")  # so that it is not the indexed one
    arguments = [str(place / "library"), str(place / "empty cache"), str(image)]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    early, hits, tags, similar, heavy = json.loads(done.stdout)
    assert (early, heavy) == (False, [])
    assert Path(hits[0]).stem.startswith("sea-")
    assert "snow" in tags
    assert Path(similar).stem.startswith("snow-")


def test_bot_answers_follow_a_new_version_without_loading_the_tower_again(place: Path, cache: Path) -> None:
    served = ServedLibrary(Settings(library=str(place / "library"), cache=cache))
    served.refresh()
    assert kinds(served, "snow on the grass")[0] == "grass-snow"
    with served.lend() as searcher:
        tags = find_results(searcher, read_terminal_command(f"/tag like:{place / 'pictures' / 'grass-0.png'}"), 5)
        before = searcher
        assert {"snow", "sea"} & set(example_words(searcher, 4))
    assert isinstance(tags, TagResults)
    assert "grass" in [tag.word for tag in tags.tags]
    assert kinds(served, "grass and coal")[:1] != ["grass-coal"]
    draw_things(place / "pictures", ("grass-coal",))
    weights = {"weights": str(place / "elsewhere")}
    index(settings(place, cache).model_copy(update=weights), [str(place / "pictures")])
    assert served.refresh()
    assert "grass-coal" in kinds(served, "grass")
    with served.lend() as searcher:
        assert searcher is not before
        assert searcher._sources.sentences
        assert before._sources.sentences
        assert searcher._sources.sentences.text_tower is before._sources.sentences.text_tower
    served.close()


def test_evaluation_measures_sentences_and_tags(place: Path, cache: Path) -> None:
    labelled = place / "labelled"
    for kind in ("roses", "grass", "sea", "snow"):
        draw_things(labelled / kind, (kind,))
    weights = {"weights": str(place / "elsewhere"), "library": str(place / "evaluated")}
    index(settings(place, cache).model_copy(update=weights), [str(labelled)])
    found = evaluate(Settings(library=str(place / "evaluated"), cache=cache), [str(labelled)], teach=1)
    assert found.text is not None
    assert found.text.precision[0] == 1
    assert found.tags is not None
    assert found.tags.images == 12
    assert found.taught


def test_maintenance_keeps_the_model(place: Path, cache: Path) -> None:
    library = Library(str(place / "library"), cache)
    prune(library, 1000, keep=0, grace=0)
    assert verify(library, library.manifest(library.live_version())).problems == []
    with ServedLibrary(Settings(library=library.uri, cache=cache)).lend() as searcher:
        assert searcher.find(parse("sea"), 1).hits


def test_reader_of_s3_fetches_the_text_tower_once(place: Path, s3: str, cache: Path, tmp_path: Path) -> None:
    own = settings(place, cache).model_copy(update={"library": f"{s3}/library", "weights": str(place / "elsewhere")})
    index(own, [str(place / "pictures")])
    with findimg.open(f"{s3}/library", cache=tmp_path) as library:
        assert Path(library.search("the sea -snow")[0].uri).stem.startswith(("sea-", "roses-sea-"))
    (tower,) = tmp_path.glob("models/made/*/model/textual/model.onnx")
    (fetched,) = tmp_path.glob("libraries/*/shared/*/model/textual/model.onnx")
    assert tower.samefile(fetched), "a second copy would take as much space again"

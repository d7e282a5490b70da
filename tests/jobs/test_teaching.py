"""Teach names from the terminal and from Python."""

import json
import subprocess
from pathlib import Path

import pytest

import findimg
from findimg.errors import QueryError
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.taught.events import EVENTS
from findimg_bot.served_library import ServedLibrary
from findimg_jobs.evaluation.evaluate import evaluate
from findimg_jobs.evaluation.html_report import render_html_report
from findimg_jobs.indexing.run import index
from findimg_jobs.maintenance.forget import forget
from tests.jobs.command import call


@pytest.fixture(scope="module")
def untaught(samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    """A library of six photographs that nobody teaches, and their folder."""
    folder = tmp_path_factory.mktemp("untaught")
    pictures = copy_six(samples, folder)
    settings = Settings(library=str(folder / "library"), cache=cache, engine="local")
    index(settings, [str(pictures)])
    return settings, pictures


@pytest.fixture
def pictures(samples: Path, tmp_path: Path) -> Path:
    return copy_six(samples, tmp_path)


def copy_six(samples: Path, place: Path) -> Path:
    """Make a folder with six different photographs, `0.png` to `5.png`."""
    folder = place / "pictures"
    folder.mkdir()
    for number, name in enumerate(["rocket.jpg", "cat.png", "yurts.jpg", "coffee.png", "drum.jpg", "eagle.jpg"]):
        (folder / f"{number}.png").write_bytes((samples / name).read_bytes())
    return folder


@pytest.fixture
def ours(pictures: Path, tmp_path: Path, cache: Path) -> Settings:
    """A library of six images that a test may change."""
    settings = Settings(library=str(tmp_path / "library"), cache=cache, engine="local")
    index(settings, [str(pictures)])
    return settings


def run(settings: Settings, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    folder = Path(settings.library).parent
    return call(folder, "teach", *arguments, FINDIMG_LIBRARY=settings.library, FINDIMG_CACHE=str(settings.cache))


def test_command_teaches_lists_exports_imports_and_removes(ours: Settings, pictures: Path, tmp_path: Path) -> None:
    done = run(
        ours, "zqxlogo", "--like", pictures / "1.png", pictures / "2.png", "--unlike", pictures / "3.png", "--json"
    )
    assert done.returncode == 0, done.stderr
    (taught,) = json.loads(done.stdout)
    assert (taught["name"], taught["like"], taught["unlike"]) == ("zqxlogo", 2, 1)
    with findimg.open(ours.library, cache=ours.cache) as library:
        assert Path(library.search("zqxlogos", k=1)[0].uri).name in ("1.png", "2.png")
        assert str(pictures / "3.png") not in [hit.uri for hit in library.search("zqxlogo", k=3)]
    file = tmp_path / "names.json"
    assert run(ours, "--export", file).returncode == 0
    assert json.loads(run(ours, "--remove", "zqxlogo", "--json").stdout) == {"removed": 3}
    assert json.loads(run(ours, "--list", "--json").stdout) == []
    assert json.loads(run(ours, "--import", file, "--json").stdout) == [taught]
    assert [row["did"] for row in json.loads(run(ours, "--audit", "--json").stdout)].count("taught") == 4
    assert json.loads(run(ours, "--undo-by", taught["by"][0], "--json").stdout) == {"removed": 3}
    assert json.loads(run(ours, "--erase-by", taught["by"][0], "--json").stdout) == {"erased": 6}
    assert not any("zqxlogo" in path.read_text() for path in Path(ours.library, "taught").rglob("*.json"))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["zqxlogo"],
        ["--like", "x.png"],
        ["zqxlogo", "--list"],
        ["the", "--like", "{pictures}/1.png"],
        ["zqxlogo", "--like", "{pictures}/1.png", "--unlike", "{pictures}/1.png"],
        ["zqxlogo", "--like", "{pictures}/missing.png"],
        ["--remove", "zqxlogo"],
        ["--import", "{pictures}/1.png"],
        ["--undo-by", "T1/U1"],
    ],
)
def test_wrong_use_is_one_sentence_and_teaches_nothing(untaught: tuple[Settings, Path], arguments: list[str]) -> None:
    settings, pictures = untaught
    done = run(settings, *(argument.format(pictures=pictures) for argument in arguments))
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(open_storage(settings.library).list(EVENTS)) == []


def test_python_interface_teaches_and_bots_use_it(ours: Settings, pictures: Path) -> None:
    served = ServedLibrary(ours)
    with findimg.open(ours.library, cache=ours.cache) as library, served.lend() as searcher:
        assert library.teach("zqxlogo", like=[pictures / "4.png"]).like == 1
        assert Path(library.search("zqxlogo", k=1)[0].uri).name == "4.png"
        served.refresh_taught()
        assert list(searcher.taught.names) == ["zqxlogo"]
        assert library.untaught("zqxlogo") == 1
        with pytest.raises(QueryError):
            library.search("zqxlogo")
        served.refresh_taught()
        assert not searcher.taught.names
    served.close()


def test_forgotten_image_is_no_example_any_more(ours: Settings, pictures: Path) -> None:
    with findimg.open(ours.library, cache=ours.cache) as library:
        library.teach("zqxlogo", like=[pictures / "1.png", pictures / "2.png"])
    forget(ours, [str(pictures / "1.png")])
    with findimg.open(ours.library, cache=ours.cache) as library:
        assert [each.like for each in library.taught()] == [1]
    storage = open_storage(ours.library)
    assert not any(str(pictures / "1.png").encode() in storage.read(each.key) for each in storage.list(EVENTS))


def test_evaluation_measures_teaching(library: str, cache: Path, samples: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "labelled"
    settings = Settings(library=str(tmp_path / "library"), cache=cache, engine="local")
    for label, names in {"zqxcar": ("car-blue.jpg", "car-desert.jpg"), "zqxpet": ("cat.png", "dalmatian.jpg")}.items():
        (labelled / label).mkdir(parents=True)
        for name in names:
            (labelled / label / name).write_bytes((samples / name).read_bytes())
    index(settings, [str(labelled)])
    evaluation = evaluate(settings, [str(labelled)], teach=1)
    before, after = evaluation.taught
    assert (before.examples, after.examples, after.labels) == (0, 1, 2)
    assert before.precision == 0 < after.precision
    page = render_html_report(evaluation, open_storage(settings.library))
    assert "Precision by number of examples" in page
    assert evaluate(settings, [str(labelled)]).taught == ()

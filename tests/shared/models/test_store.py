import hashlib
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import h5py
import numpy as np
import pytest

from findimg.encoders.clip_presets import PRESETS
from findimg.encoders.vgg16 import CONVOLUTIONS
from findimg.errors import ModelError, StorageError
from findimg.models.artefacts import Artefact, Download, Embedded, known_artefacts, weights_of
from findimg.models.store import ModelStore
from findimg.ocr.scripts import SCRIPTS
from findimg.text.vectors import open_words

GLOVE = b"cat 0.5 -0.25\nsofa 1.0 0.125\n"


class Handler(BaseHTTPRequestHandler):
    """Serve `files`. For a path that ends in .cut, announce more bytes than are sent."""

    def __init__(self, files: dict[str, bytes], *arguments: object):
        self.files = files
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        body = self.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + (1000 if self.path.endswith(".cut") else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a file with arrays in vgg16-gap's shapes."""
    path = tmp_path_factory.mktemp("weights") / "gap.h5"
    with h5py.File(path, "w") as file:
        for number, channels in enumerate(CONVOLUTIONS):
            file.create_dataset(f"{number}/kernel", shape=(3, 3, *channels), dtype="f4")
            file.create_dataset(f"{number}/bias", shape=channels[1:], dtype="f4")
    return path.read_bytes()


@pytest.fixture(scope="module")
def glove_zip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("glove") / "glove.6B.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("glove.6B.300d.txt", GLOVE)
    return path.read_bytes()


@pytest.fixture
def server(weights: bytes, glove_zip: bytes) -> Iterator[str]:
    files = {"/gap.h5": weights, "/gap.h5.cut": weights[:-1000], "/glove.6B.zip": glove_zip}
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, files)) as http:  # type: ignore[arg-type]
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def store_with(folder: Path, name: str, url: str, body: bytes, digest: str | None = None) -> ModelStore:
    """Return a store whose official download of `name` is `body` at `url`."""
    origin = Download(url, len(body), digest or "sha256:" + hashlib.sha256(body).hexdigest())
    return ModelStore(
        folder, [replace(known, origin=origin) if known.name == name else known for known in known_artefacts()]
    )


def left_behind(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_official_download_is_kept_and_not_fetched_twice(tmp_path: Path, server: str, weights: bytes) -> None:
    store = store_with(tmp_path, "vgg16-gap", f"{server}/gap.h5", weights)
    path = store.pull("vgg16-gap")
    assert path.read_bytes() == weights
    assert left_behind(tmp_path) == [path]
    offline = store_with(tmp_path, "vgg16-gap", "http://127.0.0.1:9/gap.h5", weights)
    assert offline.pull("vgg16-gap") == offline.weights("vgg16-gap") == offline.path("vgg16-gap") == path


def test_progress_of_a_download_is_reported_up_to_its_size(tmp_path: Path, server: str, weights: bytes) -> None:
    reports: list[tuple[str, int, int]] = []
    store = store_with(tmp_path, "vgg16-gap", f"{server}/gap.h5", weights)

    @contextmanager
    def record(name: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda received: reports.append((name, received, total))

    ModelStore(tmp_path, list(store._artefacts.values()), record).pull("vgg16-gap")
    received = [each[1] for each in reports]
    assert received == sorted(received)
    assert reports[-1] == ("vgg16-gap", len(weights), len(weights))


def test_md5_is_accepted_as_published_hash(tmp_path: Path, server: str, weights: bytes) -> None:
    digest = "md5:" + hashlib.md5(weights).hexdigest()
    assert store_with(tmp_path, "vgg16-gap", f"{server}/gap.h5", weights, digest).pull("vgg16-gap").is_file()


def test_download_with_wrong_hash_is_not_kept(tmp_path: Path, server: str, weights: bytes) -> None:
    store = store_with(tmp_path, "vgg16-gap", f"{server}/gap.h5", weights, "md5:" + "0" * 32)
    with pytest.raises(ModelError, match=f"md5 {hashlib.md5(weights).hexdigest()} instead of 0000"):
        store.pull("vgg16-gap")
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(("path", "why"), [("/gone.h5", "HTTP status 404"), ("/gap.h5.cut", "gave less than its")])
def test_failed_download_is_not_kept_and_names_both_remedies(
    tmp_path: Path, server: str, weights: bytes, path: str, why: str
) -> None:
    store = store_with(tmp_path, "vgg16-gap", server + path, weights)
    with pytest.raises(ModelError, match=f"{why}.*Go online.*models pull vgg16-gap --from FILE"):
        store.pull("vgg16-gap")
    assert left_behind(tmp_path) == []


def test_download_larger_than_announced_is_stopped(tmp_path: Path, server: str, weights: bytes) -> None:
    store = store_with(tmp_path, "vgg16-gap", f"{server}/gap.h5", weights[:1000])
    with pytest.raises(ModelError, match="gave more than its 1000 bytes"):
        store.pull("vgg16-gap")
    assert left_behind(tmp_path) == []


def test_error_without_a_network_names_both_remedies(tmp_path: Path, weights: bytes) -> None:
    store = store_with(tmp_path, "vgg16-gap", "http://127.0.0.1:9/gap.h5", weights)
    with pytest.raises(ModelError) as caught:
        store.weights("vgg16-gap")
    assert "refused" in str(caught.value)
    assert "Go online and run `findimg-jobs models pull vgg16-gap`" in str(caught.value)
    assert "`findimg-jobs models pull vgg16-gap --from FILE`" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_is_pulled_without_a_network(tmp_path: Path, weights: bytes) -> None:
    file = tmp_path / "from-a-colleague.h5"
    file.write_bytes(weights)
    store = ModelStore(tmp_path / "store")
    path = store.pull("vgg16-gap", str(file))
    assert path.read_bytes() == weights
    assert file.exists()
    assert store.weights("vgg16-gap") == path


def test_pulled_file_replaces_the_cached_one_only_if_valid(tmp_path: Path, weights: bytes) -> None:
    good, bad = tmp_path / "good.h5", tmp_path / "bad.h5"
    good.write_bytes(weights)
    bad.write_bytes(b"<html>")
    store = ModelStore(tmp_path / "store")
    path = store.pull("vgg16-gap", str(good))
    with pytest.raises(ModelError, match=r"bad\.h5 is not a readable HDF5"):
        store.pull("vgg16-gap", str(bad))
    assert path.read_bytes() == weights
    with pytest.raises(ModelError, match="SHA-256"):
        store.pull("efficientnet-lite0", str(bad))


def test_named_weights_override_cached_weights(tmp_path: Path, weights: bytes) -> None:
    cached, named = tmp_path / "cached.h5", tmp_path / "named.h5"
    cached.write_bytes(weights)
    named.write_bytes(b"mine")
    store = ModelStore(tmp_path / "store")
    store.pull("vgg16-gap", str(cached))
    assert store.weights("vgg16-gap", str(named)) == named


def test_named_weights_in_s3_are_fetched_once(tmp_path: Path, bucket: str) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key="team/vgg.h5", Body=b"mine")
    store = ModelStore(tmp_path)
    path = store.weights("vgg16", "s3://models/team/vgg.h5")
    assert path.read_bytes() == b"mine"
    boto3.client("s3").delete_object(Bucket=bucket, Key="team/vgg.h5")
    assert store.weights("vgg16", "s3://models/team/vgg.h5") == path


def test_missing_s3_object_is_an_error_and_leaves_no_files(tmp_path: Path, bucket: str) -> None:
    with pytest.raises(StorageError, match=f"s3://{bucket}/gone.h5 does not exist"):
        ModelStore(tmp_path).weights("vgg16", f"s3://{bucket}/gone.h5")
    assert left_behind(tmp_path) == []


def test_word_vectors_are_downloaded_unzipped_and_converted(tmp_path: Path, server: str, glove_zip: bytes) -> None:
    store = store_with(tmp_path, "glove.6B.300d", f"{server}/glove.6B.zip", glove_zip)
    folder = store.words("glove.6B.300d")
    np.testing.assert_array_equal(open_words("glove.6B.300d", folder).vector("sofa"), [1.0, 0.125])
    assert store.path("glove.6B.300d") == folder
    assert sorted(os.listdir(tmp_path)) == ["words"], "neither zip nor text is kept"


def test_zip_without_the_word_vectors_is_refused(tmp_path: Path, server: str, glove_zip: bytes) -> None:
    store = store_with(tmp_path, "glove.6B.100d", f"{server}/glove.6B.zip", glove_zip)
    with pytest.raises(ModelError, match=r"holds no glove\.6B\.100d\.txt"):
        store.pull("glove.6B.100d")
    assert left_behind(tmp_path) == []


def test_glove_file_is_pulled_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_bytes(GLOVE)
    store = ModelStore(tmp_path / "store")
    folder = store.pull("glove.840B.300d", str(tmp_path / "vectors.txt"))
    assert open_words("glove.840B.300d", folder).vocabulary.row("cat") is not None
    assert [(status.name, status.state) for status in store.list()][-1] == ("glove.840B.300d", "cached")


def test_failed_pull_keeps_the_old_word_vectors(tmp_path: Path) -> None:
    source, store = tmp_path / "vectors.txt", ModelStore(tmp_path / "store")
    source.write_bytes(b"cat 1 2\n")
    folder = store.pull("glove.test", str(source))
    before = left_behind(store.folder)
    source.write_bytes(b"dog 1 two\n")
    with pytest.raises(ModelError, match="not all columns after the word are numbers"):
        store.pull("glove.test", str(source))
    np.testing.assert_array_equal(open_words("glove.test", folder).vector("cat"), [1, 2])
    assert left_behind(store.folder) == before


def test_array_of_word_vectors_is_fetched_from_s3_with_its_vocabulary(tmp_path: Path, bucket: str) -> None:
    np.save(tmp_path / "team.npy", np.eye(2, dtype=np.float32))
    client = boto3.client("s3")
    client.upload_file(str(tmp_path / "team.npy"), bucket, "team.npy")
    client.put_object(Bucket=bucket, Key="team.txt", Body=b"cat\nsofa\n")
    folder = ModelStore(tmp_path / "store").pull("glove.team", f"s3://{bucket}/team.npy")
    np.testing.assert_array_equal(open_words("glove.team", folder).vector("sofa"), [0, 1])


def test_embedded_models_need_neither_file_nor_network(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    assert store.pull("efficientnet-lite0") == store.path("efficientnet-lite0")
    assert store.path("glove.6B.50d").is_dir()
    assert store.words("glove.6B.50d") is None
    assert left_behind(tmp_path) == []


def test_pulled_word_vectors_override_embedded_ones(tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_bytes(GLOVE)
    store = ModelStore(tmp_path / "store")
    folder = store.pull("glove.6B.50d", str(tmp_path / "vectors.txt"))
    assert store.words("glove.6B.50d") == folder


def test_missing_package_is_an_error_that_names_it(tmp_path: Path) -> None:
    gone = Artefact("efficientnet-lite0", weights_of(lambda _: None), Embedded("the-package", "no_such_module", "file"))
    with pytest.raises(ModelError, match=r"comes with the package the-package, which is missing\. Install it"):
        ModelStore(tmp_path, [gone]).pull("efficientnet-lite0")


def test_list_shows_the_state_of_each_model(tmp_path: Path, weights: bytes) -> None:
    (tmp_path / "gap.h5").write_bytes(weights)
    store = ModelStore(tmp_path / "store")
    assert {status.name: status.state for status in store.list()} == {
        **dict.fromkeys(PRESETS, "absent"),
        **dict.fromkeys((f"ocr-{script}" for script in SCRIPTS), "absent"),
        "efficientnet-lite0": "embedded",
        "efficientnet-lite2": "embedded",
        "vgg16": "absent",
        "vgg16-gap": "absent",
        "glove.6B.50d": "embedded",
        "glove.6B.100d": "absent",
        "glove.6B.200d": "absent",
        "glove.6B.300d": "absent",
    }
    path = store.pull("vgg16-gap", str(tmp_path / "gap.h5"))
    status = next(status for status in store.list() if status.name == "vgg16-gap")
    assert (status.state, status.path, status.size) == ("cached", path, len(weights))


def test_path_of_an_absent_model_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"vgg16 is not on this machine\. Go online"):
        ModelStore(tmp_path).path("vgg16")
    with pytest.raises(ModelError, match=r"no official download\. Run .*glove\.840B\.300d --from FILE"):
        ModelStore(tmp_path).pull("glove.840B.300d")


@pytest.mark.parametrize("name", ["resnet", "../vgg16", "glove.../../../etc", "glove./x", ""])
def test_unknown_name_is_refused_with_the_known_names(tmp_path: Path, name: str) -> None:
    for ask in (ModelStore(tmp_path).pull, ModelStore(tmp_path).path):
        with pytest.raises(ModelError, match=r"There is no model .*vgg16-gap"):
            ask(name)


def test_missing_source_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no file '/nowhere/vgg\.h5'"):
        ModelStore(tmp_path).pull("vgg16", "/nowhere/vgg.h5")


def test_unwritable_cache_is_named(tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_bytes(GLOVE)
    (tmp_path / "store").write_text("a file in the way")
    with pytest.raises(ModelError, match=r"The model cache .*store cannot be written"):
        ModelStore(tmp_path / "store").pull("glove.6B.50d", str(tmp_path / "vectors.txt"))


def test_converted_model_is_kept(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    assert store.get_or_make("model", lambda: b"first") == b"first"
    assert store.get_or_make("model", lambda: b"second") == b"first"
    assert ModelStore(tmp_path).get_or_make("model", lambda: b"third") == b"first"


def test_converted_model_is_made_again_if_it_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = ModelStore(tmp_path / "file" / "below")
    assert store.get_or_make("model", lambda: b"first") == b"first"
    assert store.get_or_make("model", lambda: b"second") == b"second"

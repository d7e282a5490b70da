"""Image–text models are folders: pulled from a folder, from S3, or from a server of Hugging Face's shape."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from findimg.encoders.registry import build_encoder, fingerprint
from findimg.errors import ModelError
from findimg.models.store import ModelStore
from tests.shared.encoders.made_clip import make_folder

REPOSITORY = "/immich-app/ViT-B-32__openai/resolve/main/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    make_folder(folder)
    return folder


class Hub:
    """A server that redirects to a store of large files, as Hugging Face does. It can break off in a file."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.break_after: dict[str, int] = {}  # bytes of a file after which the connection is closed, once
        self.asked: list[tuple[str, str | None]] = []
        self.ignores_ranges = False
        self.url = ""


class Handler(BaseHTTPRequestHandler):
    def __init__(self, hub: Hub, *arguments: object):
        self.hub = hub
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path.startswith(REPOSITORY):
            self.send_response(302)
            self.send_header("Location", f"{self.hub.url}/store/{self.path.removeprefix(REPOSITORY)}")
            self.end_headers()
            return
        name = self.path.removeprefix("/store/")
        span = self.headers["Range"]
        self.hub.asked.append((name, span))
        path = self.hub.folder / name
        if not self.path.startswith("/store/") or not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        start = int(span.removeprefix("bytes=").removesuffix("-")) if span and not self.hub.ignores_ranges else 0
        if start >= len(body) > 0:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : self.hub.break_after.pop(name, len(body))])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, hub)) as http:  # type: ignore[arg-type]
        threading.Thread(target=http.serve_forever, daemon=True).start()
        hub.url = f"http://127.0.0.1:{http.server_port}"
        monkeypatch.setenv("HF_ENDPOINT", f"{hub.url}/")
        yield hub
        http.shutdown()


def same_files(one: Path, other: Path) -> bool:
    files = {path.relative_to(one): path.read_bytes() for path in one.rglob("*") if path.is_file()}
    return files == {path.relative_to(other): path.read_bytes() for path in other.rglob("*") if path.is_file()}


def test_preset_is_downloaded_once_from_the_mirror(tmp_path: Path, hub: Hub, folder: Path) -> None:
    reports: list[int] = []

    @contextmanager
    def record(_: str, total: int) -> Iterator[object]:
        assert total > 100_000_000
        yield reports.append

    store = ModelStore(tmp_path, progress=record)  # type: ignore[arg-type]
    path = store.pull("clip-b32")
    assert same_files(path, folder)
    assert reports == sorted(reports)
    assert reports[-1] == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    asked = len(hub.asked)
    assert store.pull("clip-b32") == store.weights("clip-b32") == path
    assert len(hub.asked) == asked
    assert build_encoder("clip-b32", store).fingerprint == fingerprint("clip-b32", store)
    status = next(status for status in store.list() if status.name == "clip-b32")
    assert (status.state, status.size) == ("cached", reports[-1])
    assert [left.name for left in tmp_path.iterdir()] == ["weights"]


def test_interrupted_download_continues_where_it_stopped(tmp_path: Path, hub: Hub, folder: Path) -> None:
    store = ModelStore(tmp_path)
    hub.break_after["textual/model.onnx"] = 3000
    with pytest.raises(ModelError, match="clip-b32 is not on this machine and cannot be downloaded from http://127"):
        store.pull("clip-b32")
    assert not (tmp_path / "weights").exists()
    hub.asked.clear()
    assert same_files(store.pull("clip-b32"), folder)
    assert hub.asked[0] == ("textual/model.onnx", "bytes=3000-")
    assert all(not name.startswith("visual/model.onnx") or name.endswith(".data") for name, _ in hub.asked)


def test_server_without_ranges_starts_the_file_again(tmp_path: Path, hub: Hub, folder: Path) -> None:
    store = ModelStore(tmp_path)
    hub.ignores_ranges = True
    hub.break_after["textual/model.onnx"] = 3000
    with pytest.raises(ModelError, match="cannot be downloaded"):
        store.pull("clip-b32")
    assert same_files(store.pull("clip-b32"), folder)


def test_part_that_is_longer_than_the_file_is_dropped(tmp_path: Path, hub: Hub, folder: Path) -> None:
    part = tmp_path / "partial" / "clip-b32" / "config.json.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(100_000))
    assert same_files(ModelStore(tmp_path).pull("clip-b32"), folder)


def test_missing_file_on_the_server_is_named(tmp_path: Path, hub: Hub, folder: Path) -> None:
    hub.folder = tmp_path / "other"
    make_folder(hub.folder)
    (hub.folder / "textual" / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"textual/tokenizer\.json \(HTTP status 404 Not Found\)\. Go online"):
        ModelStore(tmp_path / "store").pull("clip-b32")


def test_damaged_download_is_not_kept(tmp_path: Path, hub: Hub) -> None:
    hub.folder = tmp_path / "other"
    make_folder(hub.folder)
    (hub.folder / "config.json").write_text("<html>Sign in</html>")
    with pytest.raises(ModelError, match=r"config\.json cannot be used"):
        ModelStore(tmp_path / "store").pull("clip-b32")
    assert not (tmp_path / "store" / "weights").exists()


def test_own_folder_is_copied_without_what_does_not_belong_to_it(tmp_path: Path, folder: Path) -> None:
    own = tmp_path / "own"
    make_folder(own, external=True)
    before = sorted(path for path in own.rglob("*") if path.is_file())
    (own / "notes.txt").write_text("ours")
    store = ModelStore(tmp_path / "store")
    path = store.pull("siglip2-b16", str(own))
    assert sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file()) == [
        file.relative_to(own) for file in before
    ]
    assert (own / "notes.txt").exists()
    with pytest.raises(ModelError, match=r"There is no folder '.*config\.json'\. Name a folder with config\.json"):
        store.pull("siglip2-b16", str(own / "config.json"))
    with pytest.raises(ModelError, match=r"not an image–text model, because config\.json is missing"):
        store.pull("siglip2-b16", str(tmp_path))
    assert store.path("siglip2-b16") == path


def test_folder_in_s3_is_pulled_and_named_as_weights(tmp_path: Path, folder: Path, bucket: str) -> None:
    client = boto3.client("s3")
    for file in folder.rglob("*"):
        if file.is_file():
            client.upload_file(str(file), bucket, f"clip/{file.relative_to(folder)}")
    store = ModelStore(tmp_path)
    assert same_files(store.pull("clip-b32", f"s3://{bucket}/clip"), folder)
    named = build_encoder("onnx-clip", store, f"s3://{bucket}/clip")
    assert named.fingerprint == fingerprint("onnx-clip", store, str(folder))

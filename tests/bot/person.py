"""A person at the local workspace. It sends the same HTTP requests as the page."""

import http.cookiejar
import json
import threading
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Json = dict[str, Any]
PATIENCE = 30.0  # seconds until what should come is given up


class BrowserUser:
    """A person with the page open in a browser."""

    def __init__(self, address: str, token: str):
        self._address = address
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self._opener.open(f"{address}/?token={token}", timeout=PATIENCE).close()

    def state(self) -> Json:
        """Return the state that the page receives."""
        with self._opener.open(f"{self._address}/page/state", timeout=PATIENCE) as answer:
            return dict(json.load(answer))

    def ask(self, verb: str, **arguments: Any) -> Json:
        """Send an action to the workspace. A refused action fails the test."""
        answer = self.try_to(verb, **arguments)
        assert answer["ok"], answer
        return answer

    def try_to(self, verb: str, **arguments: Any) -> Json:
        """Send an action to the workspace and return its response."""
        return self._post(f"/page/{verb}", json.dumps(arguments).encode(), "application/json")

    def upload(self, name: str, data: bytes) -> Json:
        """Upload a file without sharing it."""
        mark = uuid.uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body = head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + data + f"\r\n--{mark}--\r\n".encode()
        answer = self._post("/page/upload", body, f"multipart/form-data; boundary={mark}")
        assert answer["ok"], answer
        return dict(answer["file"])

    def share(self, channel: str, path: Path, text: str = "", **more: Any) -> Json:
        """Upload an image into a channel and return the message."""
        file = self.upload(path.name, path.read_bytes())
        self.ask("send", channel=channel, text=text, files=[file["id"]], **more)
        return self.wait(channel, lambda message: file["id"] in [each["id"] for each in message.get("files", ())])

    def download(self, address: str) -> bytes:
        """Return what an address of the workspace shows this person."""
        with self._opener.open(address, timeout=PATIENCE) as answer:
            return bytes(answer.read())

    def channel(self, name: str = "") -> str:
        """Create a channel with the bot in it and return it."""
        created = self.ask("channel", name=name or f"c{uuid.uuid4().hex[:8]}")
        return str(created["channel"]["id"])

    def direct(self) -> str:
        """Return the direct message with the bot."""
        return str(next(each["id"] for each in self.state()["channels"] if each["is_im"]))

    def messages(self, channel: str) -> list[Json]:
        """Return the messages of a channel, oldest first."""
        return list(self.state()["messages"].get(channel, []))

    def wait(self, channel: str, wanted: Callable[[Json], bool]) -> Json:
        """Wait for a message that fulfils a condition and return the newest one."""
        return until(lambda: next((each for each in reversed(self.messages(channel)) if wanted(each)), None))

    def command(self, channel: str, text: str) -> Json:
        """Send a command and return its answer."""
        before = {each["ts"] for each in self.messages(channel)}
        self.ask("send", channel=channel, text=text)
        return self.wait(channel, lambda each: each["ts"] not in before and "Searching" not in each["text"])

    def click(self, channel: str, message: Json, action: str, number: int = 0) -> Json:
        """Click a button of a message."""
        block, element = [found for found in elements(message["blocks"]) if found[1]["action_id"] == action][number]
        return self.ask(
            "action", channel=channel, ts=message["ts"], block_id=block["block_id"], action_id=element["action_id"]
        )

    def choose(self, channel: str, message: Json, what: str, number: int = 0) -> Json:
        """Choose what to do with an image of an answer, from the menu below it."""
        block, element = next(each for each in elements(message["blocks"]) if each[1]["action_id"] == "choose_hit")
        value = next(
            option["value"]
            for option in element["option_groups"][number]["options"]
            if option["value"].endswith(f".{what}")
        )
        ids = {"block_id": block["block_id"], "action_id": element["action_id"]}
        return self.ask("action", channel=channel, ts=message["ts"], value=value, **ids)

    def _post(self, path: str, body: bytes, kind: str) -> Json:
        headers = {"Content-Type": kind, "Origin": self._address}
        request = urllib.request.Request(self._address + path, body, headers)
        with self._opener.open(request, timeout=PATIENCE) as answer:
            return dict(json.load(answer))


def until(look: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Call `look` until it returns something, and return that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Yield every interactive element with its block."""
    for block in blocks:
        for element in [*block.get("elements", ()), *([block["accessory"]] if "accessory" in block else [])]:
            if "action_id" in element:
                yield block, element


def images(message: Json) -> list[Json]:
    """Return the pictures of a message, large ones and thumbnails."""
    blocks = message.get("blocks", ())
    shown = [block if block["type"] == "image" else block.get("accessory", {}) for block in blocks]
    return [each for each in shown if each.get("type") == "image"]


def words(message: Json) -> str:
    """Return all text in a message's blocks."""
    texts = []
    for block in message.get("blocks", ()):
        texts += [block["text"]["text"]] if "text" in block else []
        texts += [each["text"] for each in block.get("elements", ()) if isinstance(each.get("text"), str)]
    return "\n".join(texts)


class Recorder:
    """A server that records its requests."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []  # path and headers
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, dict(self.headers)))
                self.send_response(200)
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Recorder":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

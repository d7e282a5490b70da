import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from slack_sdk.signature import SignatureVerifier

from findimg_bot.local_slack.delivery.http import signature
from findimg_bot.slack.manifest import read_manifest
from tests.bot.person import BrowserUser, Json, until
from tests.bot.team import WorkspaceThread


class Endpoint(ThreadingHTTPServer):
    """An app's request URL. It records requests and answers as configured."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.seen: list[tuple[dict[str, str], str]] = []  # headers and body
        self.status, self.content_type, self.text = 200, "text/plain", ""
        self.wait = threading.Event()
        self.wait.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/slack/events"


class Request(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.seen.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.server.wait.wait()
        challenge = json.loads(body).get("challenge", "") if body.startswith("{") else ""
        text = (self.server.text or challenge).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", self.server.content_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.wait.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def slack(endpoint: Endpoint) -> Iterator[WorkspaceThread]:
    threaded = WorkspaceThread(read_manifest(), request_url=endpoint.url)
    yield threaded
    threaded.stop()


def test_command_is_sent_as_a_signed_form(slack: WorkspaceThread, endpoint: Endpoint, person: BrowserUser) -> None:
    person.ask("send", channel="general", text="/findimg cat & dog")
    [(headers, body)] = endpoint.seen
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(body)["text"] == ["cat &amp; dog"]
    assert SignatureVerifier(slack.workspace.signing_secret).is_valid_request(body, headers)
    assert not SignatureVerifier("another secret").is_valid_request(body, headers)


def test_click_is_sent_as_a_form_and_event_as_json(
    slack: WorkspaceThread, endpoint: Endpoint, person: BrowserUser
) -> None:
    ts = person.ask("send", channel="general", text="look")["ts"]
    person.ask("shortcut", callback_id="tag_image", channel="general", ts=ts)
    person.ask("home")
    until(lambda: len(endpoint.seen) == 2)
    (_, click), (headers, event) = endpoint.seen
    assert json.loads(parse_qs(click)["payload"][0])["type"] == "message_action"
    assert headers["content-type"] == "application/json"
    assert json.loads(event)["event"]["type"] == "app_home_opened"
    assert SignatureVerifier(slack.workspace.signing_secret).is_valid_request(event, headers)


@pytest.mark.parametrize(("content_type", "text"), [("text/plain", "wait"), ("application/json", '{"text": "wait"}')])
def test_response_body_becomes_a_message(endpoint: Endpoint, person: BrowserUser, content_type: str, text: str) -> None:
    endpoint.content_type, endpoint.text = content_type, text
    person.ask("send", channel="general", text="/findimg cat")
    [channel] = [channel["id"] for channel in person.state()["channels"] if channel["name"] == "general"]
    assert [message["text"] for message in person.messages(channel)] == ["wait"]


@pytest.mark.parametrize(("status", "text"), [(500, ""), (404, ""), (200, "{broken")])
def test_failed_response_is_reported_to_the_person(
    endpoint: Endpoint, person: BrowserUser, status: int, text: str
) -> None:
    endpoint.status, endpoint.content_type, endpoint.text = status, "application/json", text
    answer = person.try_to("send", channel="general", text="/findimg cat")
    assert answer["error"] == '/findimg failed with the error "dispatch_failed"'


def test_late_response_is_reported_to_the_person(
    slack: WorkspaceThread, endpoint: Endpoint, person: BrowserUser
) -> None:
    slack.workspace.timing.acknowledge = 0.2
    endpoint.wait.clear()
    answer = person.try_to("send", channel="general", text="/findimg cat")
    assert answer["error"] == '/findimg failed with the error "operation_timeout"'


def test_event_is_retried_with_retry_headers(slack: WorkspaceThread, endpoint: Endpoint, person: BrowserUser) -> None:
    slack.workspace.timing.retries = (0.0, 0.0)
    endpoint.status = 500
    person.ask("home")
    slack.run(slack.workspace.settle())
    numbers = [headers.get("x-slack-retry-num") for headers, _ in endpoint.seen]
    assert numbers == [None, "1", "2"]
    assert {headers.get("x-slack-retry-reason") for headers, _ in endpoint.seen} == {None, "http_error"}
    events: list[Json] = [json.loads(body) for _, body in endpoint.seen]
    assert len({event["event_id"] for event in events}) == 1


def test_request_url_is_verified_by_a_challenge(slack: WorkspaceThread, endpoint: Endpoint) -> None:
    assert slack.run(slack.workspace.verify_request_url())
    endpoint.text = "something else"
    assert not slack.run(slack.workspace.verify_request_url())
    endpoint.status = 401
    assert not slack.run(slack.workspace.verify_request_url())


def test_signature_covers_its_timestamp() -> None:
    headers = signature("secret", "body", timestamp=1_600_000_000)
    assert headers["X-Slack-Request-Timestamp"] == "1600000000"
    verifier = SignatureVerifier("secret")
    assert verifier.generate_signature(timestamp="1600000000", body="body") == headers["X-Slack-Signature"]
    assert not verifier.is_valid_request("body", headers)  # signatures expire after five minutes

"""Compare the IAM policies with the S3 requests that findimg makes."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest

import findimg
import findimg.storage.s3
from findimg.errors import StorageError
from findimg.library.channels_off import channels_off, switch_off, switch_on
from findimg.library.layout import thumbnail_key
from findimg.library.library import Library
from findimg.search.query import parse
from findimg.settings import Settings
from findimg.storage.base import open_object, open_storage, read_uri
from findimg.taught.teaching import Lesson, add_lesson, erase_examples
from findimg_bot.question_results import find_results
from findimg_bot.questions import read_terminal_command
from findimg_bot.served_library import ServedLibrary
from findimg_jobs.build.rebuild import rebuild
from findimg_jobs.indexing.run import index
from findimg_jobs.maintenance.forget import allow, forget
from findimg_jobs.maintenance.prune import prune
from findimg_jobs.maintenance.verify import verify

FOLDER = Path(__file__).parents[2] / "infra" / "aws"
SOURCE, LIBRARY = "s3://team-photos/2026", "s3://team-findimg/photos"
# The action that each request needs: Service Authorization Reference, "Actions defined by Amazon S3".
_ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "DeleteObject": "s3:DeleteObject",
}


@dataclass(frozen=True, slots=True)
class Request:
    """One S3 request in the terms of a policy."""

    action: str
    resource: str
    prefix: str | None  # that is listed


@contextmanager
def recorded() -> Iterator[set[Request]]:
    """Record the requests that are made in the block."""
    requests: set[Request] = set()

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        resource = "/".join(filter(None, (params["Bucket"], params.get("Key"))))
        requests.add(Request(_ACTIONS[model.name], f"arn:aws:s3:::{resource}", params.get("Prefix")))

    events = findimg.storage.s3.shared_client().meta.events
    events.register("provide-client-params.s3.*", note)
    yield requests
    events.unregister("provide-client-params.s3.*", note)


def statements(name: str) -> list[dict[str, Any]]:
    policy = json.loads((FOLDER / name).read_text())
    assert policy.keys() == {"Version", "Statement"}
    for each in policy["Statement"]:
        assert each.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert re.fullmatch("[A-Za-z0-9]+", each["Sid"])
        assert each["Effect"] == "Allow"
    return list(policy["Statement"])


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allowed_by(statement: dict[str, Any], request: Request) -> bool:
    condition = statement.get("Condition", {})
    assert condition.keys() <= {"StringLike"}
    wanted = listed(condition.get("StringLike", {}).get("s3:prefix", []))
    return (
        request.action in listed(statement["Action"])
        and any(fnmatchcase(request.resource, pattern) for pattern in listed(statement["Resource"]))
        and (not wanted or any(fnmatchcase(request.prefix or "", pattern) for pattern in wanted))
    )


def refused(name: str, requests: Iterable[Request]) -> list[Request]:
    return [each for each in requests if not any(allowed_by(statement, each) for statement in statements(name))]


def superfluous(name: str, requests: set[Request]) -> set[tuple[str, str]]:
    """Return each (action, resource) that a policy allows and no request needs."""
    return {
        (action, resource)
        for statement in statements(name)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if not any(allowed_by(statement | {"Action": action, "Resource": resource}, each) for each in requests)
    }


@pytest.fixture
def buckets(s3: str, samples: Path, cache: Path) -> Settings:
    """Return two buckets, one with five photographs. `s3` names the local server."""
    client = boto3.client("s3")
    for uri in (SOURCE, LIBRARY):
        name = uri.split("/")[2]
        client.create_bucket(Bucket=name)
        # All servers of one process share their buckets, and others use these names: what they left would be reused.
        boto3.resource("s3").Bucket(name).objects.all().delete()
    for picture in sorted(samples.glob("*.jpg"))[:5]:
        client.upload_file(str(picture), "team-photos", f"2026/{picture.name}")
    return Settings(library=LIBRARY, cache=cache, engine="local")


def test_jobs_policy_allows_exactly_the_used_requests(buckets: Settings, tmp_path: Path) -> None:
    library = Library(LIBRARY, buckets.cache)
    with recorded() as requests:
        for _ in range(2):
            report = index(buckets, [SOURCE])
        rebuild(buckets.model_copy(update={"visual_dim": "full"}))
        verify(library, library.manifest(str(library.find_live_version())))
        uri = next(entry.uri for entry in open_storage(SOURCE).list())
        forget(buckets, [uri])
        allow(buckets, [uri])
        prune(library, buckets.shard_size)
        assert library.storage.exists("CURRENT")
        # Files of more than 8 MB go in parts; what an interrupted upload left is swept away.
        (tmp_path / "large").write_bytes(bytes(9 * 2**20))
        library.storage.upload(tmp_path / "large", "versions/x/large")
        findimg.storage.s3.shared_client().create_multipart_upload(Bucket="team-findimg", Key="photos/versions/x/left")
        assert library.storage.sweep(0.0) == 1
    assert report.images == 5
    assert refused("iam-policy.json", requests) == []
    assert superfluous("iam-policy.json", requests) == set()


def test_bot_policy_writes_only_names_and_choices_and_is_sufficient(buckets: Settings, tmp_path: Path) -> None:
    index(buckets, [SOURCE])
    settings = buckets.model_copy(update={"cache": tmp_path})
    with findimg.open(LIBRARY, cache=buckets.cache) as opened:
        opened.teach("our booth", like=[next(entry.uri for entry in open_storage(SOURCE).list())])
    served = ServedLibrary(settings)
    with recorded() as requests:
        with served.lend() as searcher:
            find_results(searcher, read_terminal_command("/findimg animal"), 5)
            row = searcher.catalog.row(0)
            assert searcher.find(parse("our booth"), 1).hits
            log, storage = served.taught.log, served.library.storage
            example, small = served.outside_example(storage.read(thumbnail_key(row.sha256)))
            add_lesson(storage, log, "T1/U1", Lesson("our booth", [example], (), {example.sha256: small}))
            assert erase_examples(storage, log, people=["T1/U1"]) == 1
        served.library.storage.read(thumbnail_key(row.sha256))
        switch_off(storage, "T1", "C1")
        assert channels_off(storage) == {("T1", "C1")}
        switch_on(storage, "T1", "C1")
        # Whoever opens a link that was made for a while reads with the bot's rights.
        storage, key = open_object(row.uri)
        assert storage.link(key, 60)
        read_uri(row.uri)
        served.library.storage.uri("CURRENT")
        with suppress(StorageError):
            open_storage(LIBRARY).read("versions/nosuch/manifest.json")
    served.close()
    # S3 says that an object is missing only to those who may list.
    requests.add(Request("s3:ListBucket", "arn:aws:s3:::team-findimg", None))
    assert refused("iam-policy-bot.json", requests) == []
    assert superfluous("iam-policy-bot.json", requests) == set()


@pytest.mark.parametrize("key", ["CURRENT", "LOCK", "versions/v/manifest.json", "thumbnails/aa/x.jpg", "plans/x"])
@pytest.mark.parametrize("action", ["s3:PutObject", "s3:DeleteObject"])
def test_bot_may_write_nothing_else(action: str, key: str) -> None:
    request = Request(action, f"arn:aws:s3:::team-findimg/photos/{key}", None)
    assert refused("iam-policy-bot.json", [request]) == [request]


@pytest.mark.parametrize("name", ["iam-policy.json", "iam-policy-bot.json"])
@pytest.mark.parametrize(
    ("action", "resource", "prefix"),
    [
        ("s3:PutObject", "team-photos/2026/a.jpg", None),
        ("s3:DeleteObject", "team-photos/2026/a.jpg", None),
        ("s3:GetObject", "team-photos/2025/a.jpg", None),
        ("s3:ListBucket", "team-photos", "2025/"),
        ("s3:ListBucket", "team-photos", None),
        ("s3:PutObject", "team-findimg/other/CURRENT", None),
        ("s3:PutBucketPolicy", "team-findimg", None),
        ("s3:PutObject", "team-findimg/other/taught/events/x.json", None),
    ],
)
def test_unrelated_requests_are_denied(name: str, action: str, resource: str, prefix: str | None) -> None:
    assert refused(name, [Request(action, f"arn:aws:s3:::{resource}", prefix)])

import io
from typing import Any

import boto3
import pytest
from PIL import Image

from findimg.errors import SettingsError, StorageError
from findimg.storage.s3 import S3Storage, reset_client, shared_client
from findimg_jobs.listing.sources import list_sources


@pytest.fixture
def calls(s3: str) -> list[str]:
    """Return the list of the operations sent to S3."""
    names: list[str] = []
    shared_client().meta.events.register("before-call.s3", lambda model, **_: names.append(model.name))
    return names


def put(bucket: str, key: str, **options: Any) -> None:
    boto3.client("s3").put_object(Bucket=bucket.removeprefix("s3://"), Key=key, Body=b"x", **options)


def test_archived_objects_are_listed_apart(s3: str) -> None:
    for storage_class in ("STANDARD", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR", "STANDARD_IA"):
        put(s3, f"{storage_class}.jpg", StorageClass=storage_class)
    listing = list_sources([s3], "/nowhere")
    assert [image.uri for image in listing.images] == [
        f"{s3}/{n}.jpg" for n in ("GLACIER_IR", "STANDARD", "STANDARD_IA")
    ]
    assert sorted(image.uri for image in listing.archived) == [f"{s3}/{n}.jpg" for n in ("DEEP_ARCHIVE", "GLACIER")]


def test_key_that_begins_with_a_slash_costs_no_extra_requests(s3: str, calls: list[str]) -> None:
    for folder in range(5):
        for number in range(3):
            put(s3, f"f{folder}/{number}.jpg")
    list_sources([s3], "/nowhere")
    before = calls.count("ListObjectsV2")
    put(s3, "/first.jpg")
    put(s3, "//second.jpg")
    calls.clear()
    listing = list_sources([s3], "/nowhere")
    assert len(listing.images) == 17
    assert {f"{s3}//first.jpg", f"{s3}///second.jpg"} <= {image.uri for image in listing.images}
    assert calls.count("ListObjectsV2") <= before + 4


def test_prefix_that_begins_with_a_slash_is_not_the_folder_without_it(s3: str) -> None:
    put(s3, "/dir/a.jpg")
    put(s3, "dir/b.jpg")
    assert [image.uri for image in list_sources([f"{s3}//dir"], "/nowhere").images] == [f"{s3}//dir/a.jpg"]
    assert [image.uri for image in list_sources([f"{s3}/dir/"], "/nowhere").images] == [f"{s3}/dir/b.jpg"]


def test_versioned_bucket_lists_the_latest_versions(s3: str) -> None:
    bucket = s3.removeprefix("s3://")
    client = boto3.client("s3")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key, body in (("a.jpg", b"1"), ("a.jpg", b"2"), ("gone.jpg", b"3")):
        client.put_object(Bucket=bucket, Key=key, Body=body)
    client.delete_object(Bucket=bucket, Key="gone.jpg")
    (image,) = list_sources([s3], "/nowhere").images
    assert image.etag == client.head_object(Bucket=bucket, Key="a.jpg")["ETag"].strip('"')


def test_requester_pays_is_sent_on_request(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, "a.jpg")
    sent: list[str | None] = []

    def listen() -> None:
        shared_client().meta.events.register(
            "before-sign.s3", lambda request, **_: sent.append(request.headers.get("x-amz-request-payer"))
        )

    listen()
    list_sources([s3], "/nowhere")
    assert set(sent) == {None}
    monkeypatch.setenv("AWS_REQUEST_PAYER", "requester")
    reset_client()
    sent.clear()
    listen()
    list_sources([s3], "/nowhere")
    assert {str(value).removeprefix("b'").rstrip("'") for value in sent} == {"requester"}


def test_skipped_folder_is_not_listed(s3: str, calls: list[str]) -> None:
    put(s3, "a.jpg")
    for number in range(3):
        put(s3, f"@eaDir/{number}/x.jpg")
    listing = list_sources([s3], "/nowhere")
    assert [image.uri for image in listing.images] == [f"{s3}/a.jpg"]
    assert listing.skipped == {"@eaDir (folder)": 1}
    assert calls.count("ListObjectsV2") == 1


def test_files_of_a_library_are_neither_listed_nor_counted(s3: str, calls: list[str]) -> None:
    put(s3, "a.jpg")
    put(s3, "notes.txt")
    for key in ("CURRENT", "versions/v1/manifest.json", "embeddings/f/s/stats.json", "thumbnails/ab/abc.jpg"):
        put(s3, f"photos/library/{key}")
    put(s3, "new/plans/20261126T021010130599Z-a1b2.parquet")
    put(s3, "new/embeddings/f/s/vectors.parquet")
    listing = list_sources([s3], "")
    assert [image.uri for image in listing.images] == [f"{s3}/a.jpg"]
    assert listing.skipped == {"not an image: .txt": 1}
    assert calls.count("ListObjectsV2") == 5  # the root, photos, photos/library, new, new/plans


def test_objects_without_an_extension_are_recognised_by_their_first_bytes(s3: str, calls: list[str]) -> None:
    file = io.BytesIO()
    Image.effect_noise((300, 300), 50).save(file, "JPEG")
    for key, body in (
        *(("a/5f3c9", file.getvalue()), ("photo.jpg_large", file.getvalue()), ("2024.06.01", file.getvalue())),
        *(("notes", b"text"), ("empty", b""), ("clip.mp4", file.getvalue())),
    ):
        boto3.client("s3").put_object(Bucket=s3.removeprefix("s3://"), Key=key, Body=body)
    put(s3, "cold", StorageClass="GLACIER")
    listing = list_sources([s3], "/nowhere")
    assert [image.uri for image in listing.images] == [
        f"{s3}/{n}" for n in ("2024.06.01", "a/5f3c9", "photo.jpg_large")
    ]
    assert listing.skipped == {"not an image: no extension": 3, "not an image: .mp4": 1}
    assert calls.count("GetObject") == 5
    calls.clear()
    again = list_sources([s3], "/nowhere", known=listing.extensionless_checks)
    assert list(again.images) == list(listing.images)
    assert again.skipped == listing.skipped
    assert calls.count("GetObject") == 0
    put(s3, "notes", Metadata={"changed": "yes"})
    put(s3, "new")
    last = list_sources([s3], "/nowhere", known=again.extensionless_checks)
    assert last.skipped["not an image: no extension"] == 4
    assert calls.count("GetObject") == 2, "a new and a changed object"


def test_unreadable_object_without_an_extension_is_tried_again(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, "notes")
    put(s3, "a.jpg")
    with monkeypatch.context() as patched:
        patched.setattr(S3Storage, "read_start", refuse)
        listing = list_sources([s3], "/nowhere")
    assert [(each.uri, each.reason) for each in listing.failures] == [(f"{s3}/notes", "The object is out of reach.")]
    again = list_sources([s3], "/nowhere", known=listing.extensionless_checks)
    assert again.skipped == {"not an image: no extension": 1}


def refuse(storage: S3Storage, key: str, _size: int) -> bytes:
    raise StorageError(f"{storage.uri(key)} is out of reach.")


def test_bucket_that_is_a_library_is_refused(s3: str) -> None:
    put(s3, "library/CURRENT")
    put(s3, "library/versions/v1/manifest.json")
    with pytest.raises(SettingsError, match=r"outside the findimg library .*A library is never indexed"):
        list_sources([f"{s3}/library"], "")

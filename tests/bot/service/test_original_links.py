import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest

from findimg.storage.base import open_storage
from findimg_bot.service.original_links import LINK_SECONDS, OriginalLinks, path_below

SOURCES = ["s3://photos/2024", "/srv/photos/"]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("s3://photos/2024/party/cat.jpg", "party/cat.jpg"),
        ("/srv/photos/cat.jpg", "cat.jpg"),
        ("s3://photos/2023/cat.jpg", "photos/2023/cat.jpg"),
        ("s3://photos/2024-old/cat.jpg", "photos/2024-old/cat.jpg"),
        ("/home/cat.jpg", "home/cat.jpg"),
    ],
)
def test_path_is_relative_to_its_source(uri: str, path: str) -> None:
    assert path_below(uri, SOURCES) == path


def test_innermost_source_is_used() -> None:
    assert path_below("/srv/photos/2024/cat.jpg", ["/srv/photos", "/srv/photos/2024", "/srv"]) == "cat.jpg"


def test_link_is_below_the_public_address() -> None:
    links = OriginalLinks("https://photos.example.com/all/")
    assert links.public_link("/srv/photos/2024/cat.jpg", SOURCES) == "https://photos.example.com/all/2024/cat.jpg"
    assert not links.can_link("s3://photos/2024/cat.jpg")


def test_file_name_cannot_break_out_of_its_link() -> None:
    link = OriginalLinks("https://photos.example.com/").public_link("/srv/photos/a b/<!here|x>?#&größe.jpg", SOURCES)
    assert link == "https://photos.example.com/a%20b/%3C%21here%7Cx%3E%3F%23%26gr%C3%B6%C3%9Fe.jpg"


def test_only_s3_images_get_links_on_request() -> None:
    links = OriginalLinks("")
    assert links.public_link("s3://photos/2024/cat.jpg", SOURCES) == ""
    assert links.can_link("s3://photos/2024/cat.jpg")
    assert not links.can_link("/srv/photos/cat.jpg")


def test_link_on_request_expires(s3: str) -> None:
    open_storage(s3).write("party/größe <b>.jpg", b"a photograph")
    link = OriginalLinks("").temporary_link(f"{s3}/party/größe <b>.jpg")
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"a photograph"
    assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == [str(LINK_SECONDS)]
    assert not {"|", ">"} & set(link)

from pathlib import Path

import pytest

from tests.bot.person import images, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


def test_findimg_answers_only_the_person(team: Team) -> None:
    channel = team.person.channel()
    answer = team.person.command(channel, "/findimg animal")
    assert answer["ephemeral"]
    assert len(images(answer)) == 8
    assert "8 images: " in answer["text"]
    assert words(team.person.command(channel, "/findimg cat")).index("cat.png") < 60


def test_images_have_alt_text_with_tags(team: Team) -> None:
    answer = team.person.command(team.person.channel(), "/findimg cat")
    first = images(answer)[0]["alt_text"]
    assert first.startswith("cat.png: ")
    assert "cat" in first.removeprefix("cat.png: ")
    assert all(image["alt_text"] for image in images(answer))


def test_answer_shows_image_count_and_index_time(team: Team) -> None:
    said = words(team.person.command(team.person.channel(), "/findimg cat"))
    assert "images · indexed <!date^" in said


def test_thumbnails_are_uploaded_once(team: Team) -> None:
    channel = team.person.channel()
    first = team.person.command(channel, "/findimg dog")
    team.faults.calls.clear()
    again = team.person.command(channel, "/findimg dog")
    assert [image["slack_file"] for image in images(first)] == [image["slack_file"] for image in images(again)]
    # files.info is the late check of the first answer's uploads.
    assert not [method for method, _ in team.faults.calls if method.startswith("files.") and method != "files.info"]


def test_filters_are_noted(team: Team) -> None:
    said = words(team.person.command(team.person.channel(), "/findimg animal type:png"))
    assert "images match the filters" in said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("/findimg elephhhantx", "'elephhhantx' is unknown"),
        ("/findimg -cat", "Say what to look for"),
        ("/findimg like:/nowhere.jpg", "No image '/nowhere.jpg' is indexed"),
        ("/words elefantx", "'elefantx' is unknown"),
        ("/words fire engine", "/words takes one word"),
        ("/tag like:/nowhere.jpg", "No image '/nowhere.jpg' is indexed"),
        ("/tag https://example.slack.com/files/U1/F0NOTHING/x.jpg", "That image is not visible"),
        ("/similar cat", "A search for similar images takes filters and class:, but no words"),
    ],
)
def test_unanswerable_question_gets_a_sentence(team: Team, text: str, sentence: str) -> None:
    answer = team.person.command(team.person.channel(), text)
    assert answer["ephemeral"]
    assert sentence in words(answer)


@pytest.mark.parametrize("command", ["/findimg", "/tag", "/similar", "/words"])
def test_every_command_has_help(team: Team, command: str) -> None:
    answer = team.person.command(team.person.channel(), f"{command} help")
    assert answer["ephemeral"]
    assert command in words(answer)


@pytest.mark.parametrize("command", ["/findimg", "/words"])
def test_command_without_words_shows_help(team: Team, command: str) -> None:
    assert f"`{command} " in words(team.person.command(team.person.channel(), command))


def test_words_lists_the_nearest_words(team: Team) -> None:
    said = words(team.person.command(team.person.channel(), "/words said"))
    assert "told" in said
    assert "0.44" in said


def test_tag_accepts_an_image_link(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    message = team.person.share(channel, samples / "dalmatian.jpg")
    answer = team.person.command(channel, f"/tag {message['files'][0]['permalink']}")
    assert answer["ephemeral"]
    assert "dalmatian" in words(answer)
    assert images(answer)[0]["slack_file"]["id"] == message["files"][0]["id"]


def test_tag_uses_the_newest_image_in_the_channel(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    team.person.share(channel, samples / "dalmatian.jpg")
    team.person.share(channel, samples / "cat.png")
    answer = team.person.command(channel, "/tag")
    assert "Tags of *cat.png*" in words(answer)


def test_tag_accepts_an_indexed_image(team: Team, samples: Path) -> None:
    answer = team.person.command(team.person.channel(), f"/tag like:{samples}/cat.png")
    assert "*cat*" in words(answer)


def test_similar_finds_images_like_the_newest_in_the_channel(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    team.person.share(channel, samples / "motorcycle-left.png")
    answer = team.person.command(channel, "/similar")
    assert "Images like *motorcycle-left.png*" in words(answer)
    assert "1 near-duplicate" in words(answer)


def test_similar_accepts_filters(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    message = team.person.share(channel, samples / "cat.png")
    said = words(team.person.command(channel, f"/similar {message['files'][0]['permalink']} type:jpg"))
    assert "match the filters" in said
    assert ".jpg" in said
    assert "*cat.png*  " not in said


def test_findimg_like_accepts_a_slack_link(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    message = team.person.share(channel, samples / "motorcycle-left.png")
    answer = team.person.command(channel, f"/findimg like:{message['files'][0]['permalink']}")
    assert "1 near-duplicate" in words(answer)


@pytest.mark.parametrize(("command", "said"), [("/tag", "Tags of *cat.png*"), ("/similar", "Images like *cat.png*")])
def test_modal_opens_without_an_image_in_the_channel(team: Team, samples: Path, command: str, said: str) -> None:
    from tests.bot.person import until

    person, channel = team.person, team.person.channel()
    person.ask("send", channel=channel, text=command)
    modal = until(lambda: person.state()["modal"])
    file = person.upload("cat.png", (samples / "cat.png").read_bytes())
    values = {"image": {"file": {"type": "file_input", "files": [file["id"]]}}}
    person.ask("submit", view_id=modal["id"], values=values)
    answer = person.wait(channel, lambda message: said in words(message))
    assert answer["ephemeral"]
    assert person.state()["modal"] is None

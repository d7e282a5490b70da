from pathlib import Path

import pytest

from tests.bot.person import Json, elements, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


def after(team: Team, channel: str, answer: Json, action: str, number: int = 0) -> Json:
    """The message that a click brings."""
    known = {message["ts"]: message for message in team.person.messages(channel)}
    team.person.click(channel, answer, action, number)
    return team.person.wait(channel, lambda message: message != known.get(message["ts"]))


def test_more_like_this_finds_similar_images(team: Team) -> None:
    channel = team.person.channel()
    answer = team.person.command(channel, "/findimg motorcycle")
    more = after(team, channel, answer, "more_like_this")
    assert more["ephemeral"]
    assert "Images like *motorcycle-" in words(more)
    assert len(images(more)) == 5


def test_next_replaces_the_page(team: Team) -> None:
    channel = team.person.channel()
    first = team.person.command(channel, "/findimg animal")
    count = len(team.person.messages(channel))
    second = after(team, channel, first, "next")
    assert "6 to 10" in words(second)
    names = [image["alt_text"].split(":")[0] for page in (first, second) for image in images(page)]
    assert len(set(names)) == 10
    # A page with new thumbnails is posted before the one that it takes the place of is deleted.
    until(lambda: len(team.person.messages(channel)) == count)


def test_share_posts_to_the_channel(team: Team) -> None:
    channel = team.person.channel()
    answer = team.person.command(channel, "/findimg cat")
    shared = after(team, channel, answer, "share")
    assert not shared.get("ephemeral")
    assert "with findimg" in words(shared)
    assert [image["slack_file"] for image in images(shared)] == [image["slack_file"] for image in images(answer)]
    assert "share" not in {element["action_id"] for _, element in elements(shared["blocks"])}


def test_buttons_of_a_public_answer_work_for_everybody(team: Team) -> None:
    channel = team.person.channel()
    shared = after(team, channel, team.person.command(channel, "/findimg animal"), "share")
    more = after(team, channel, shared, "more_like_this")
    assert "Images like" in words(more)
    changed = after(team, channel, shared, "next")
    assert changed["ts"] == shared["ts"]
    assert "6 to 10" in words(changed)


def test_find_similar_uses_the_tagged_image(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    team.person.share(channel, samples / "motorcycle-left.png")
    similar = after(team, channel, team.person.command(channel, "/tag"), "find_similar")
    assert "Images like *motorcycle-left.png*" in words(similar)
    assert "motorcycle-right.png" in words(similar)


def test_buttons_work_after_a_restart(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    team.person.share(channel, samples / "cat.png")
    found, tagged = team.person.command(channel, "/findimg animal"), team.person.command(channel, "/tag")
    team.restart()
    assert "Images like *cat.png*" in words(after(team, channel, tagged, "find_similar"))
    assert "6 to 10" in words(after(team, channel, found, "next"))


def test_another_image_can_be_chosen_in_a_modal(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    team.person.share(channel, samples / "cat.png")
    team.person.click(channel, team.person.command(channel, "/tag"), "choose_to_tag")
    modal = until(lambda: team.person.state()["modal"])
    file = team.person.upload("dalmatian.jpg", (samples / "dalmatian.jpg").read_bytes())
    values = {"image": {"file": {"type": "file_input", "files": [file["id"]]}}}
    team.person.ask("submit", view_id=modal["id"], values=values)
    assert team.person.wait(channel, lambda message: "Tags of *dalmatian.jpg*" in words(message))["ephemeral"]


def test_modal_refuses_other_files(team: Team) -> None:
    channel = team.person.channel()
    team.person.ask("send", channel=channel, text="/tag")
    modal = until(lambda: team.person.state()["modal"])
    file = team.person.upload("notes.png", b"not a picture")
    values = {"image": {"file": {"type": "file_input", "files": [file["id"]]}}}
    answer = team.person.try_to("submit", view_id=modal["id"], values=values)
    assert answer == {"ok": False, "errors": {"image": "That file is not an image. Choose a photo."}}
    team.person.ask("close", view_id=modal["id"])

from pathlib import Path

import pytest

from tests.bot.person import Json, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


def after(team: Team, channel: str, answer: Json, action: str, number: int = 0) -> Json:
    """Click a button and return the new message."""
    known = {message["ts"]: message for message in team.person.messages(channel)}
    team.person.click(channel, answer, action, number)
    return team.person.wait(channel, lambda each: each != known.get(each["ts"]) and "Searching" not in each["text"])


def after_choice(team: Team, channel: str, answer: Json, what: str, number: int = 0) -> Json:
    """Choose from the menu and return the new message."""
    known = {message["ts"]: message for message in team.person.messages(channel)}
    team.person.choose(channel, answer, what, number)
    return team.person.wait(channel, lambda each: each != known.get(each["ts"]) and "Searching" not in each["text"])


def names(message: Json) -> list[str]:
    """Return the file names of an answer's images."""
    return [image["alt_text"].split(":")[0] for image in images(message)]


def test_more_like_this_finds_similar_images(team: Team) -> None:
    channel = team.person.channel()
    answer = team.person.command(channel, "/findimg motorcycle")
    more = after_choice(team, channel, answer, "similar")
    assert more["ephemeral"]
    assert "Images like *motorcycle-" in words(more)
    assert len(images(more)) == 8


def test_pages_replace_each_other_in_both_directions(team: Team) -> None:
    channel = team.person.channel()
    first = team.person.command(channel, "/findimg animal")
    count = len(team.person.messages(channel))
    second = after(team, channel, first, "next")
    assert "9 to 12" in words(second)
    assert len({*names(first), *names(second)}) == 12
    # A page with new thumbnails is posted before the one that it replaces is deleted.
    until(lambda: len(team.person.messages(channel)) == count)
    back = after(team, channel, second, "previous")
    assert "1 to 8 of 12" in words(back)
    assert names(back) == names(first)
    until(lambda: len(team.person.messages(channel)) == count)


def test_grid_shows_the_page_on_one_contact_sheet(team: Team) -> None:
    channel = team.person.channel()
    listed = team.person.command(channel, "/findimg animal")
    grid = after(team, channel, listed, "change_layout")
    (sheet,) = images(grid)
    assert sheet["alt_text"].startswith("In this order: ")
    assert [name in sheet["alt_text"] for name in names(listed)] == [True] * 8
    (again,) = images(team.person.command(channel, "/findimg grid animal"))
    assert again["slack_file"] == sheet["slack_file"]
    assert names(after(team, channel, grid, "change_layout")) == names(listed)


def test_share_posts_one_image_to_the_channel(team: Team) -> None:
    channel = team.person.channel()
    answer = team.person.command(channel, "/findimg animal")
    shared = after_choice(team, channel, answer, "share", number=1)
    assert not shared.get("ephemeral")
    assert "with findimg" in words(shared)
    assert [image["slack_file"] for image in images(shared)] == [images(answer)[1]["slack_file"]]
    more = after(team, channel, shared, "more_like_this")
    assert f"Images like *{names(answer)[1]}*" in words(more)


def test_share_in_a_thread_stays_in_the_thread(team: Team) -> None:
    channel = team.person.channel()
    team.person.ask("send", channel=channel, text="a thread")
    first = team.person.messages(channel)[-1]
    bot = team.person.state()["bot"]["id"]
    team.person.ask("send", channel=channel, text=f"<@{bot}> animal", thread_ts=first["ts"])
    answer = team.person.wait(channel, lambda each: "Images for *animal*" in words(each))
    similar = after_choice(team, channel, answer, "similar")
    assert (similar["thread_ts"], similar["ephemeral"]) == (first["ts"], True)
    shared = after_choice(team, channel, similar, "share")
    assert shared["thread_ts"] == first["ts"]
    assert not shared.get("ephemeral")


def test_buttons_of_a_public_answer_work_for_everybody(team: Team) -> None:
    channel = team.person.channel()
    bot = team.person.state()["bot"]["id"]
    team.person.ask("send", channel=channel, text=f"<@{bot}> animal")
    public = team.person.wait(channel, lambda each: "Images for *animal*" in words(each))
    assert "Images like" in words(after_choice(team, channel, public, "similar"))
    changed = after(team, channel, public, "next")
    assert changed["ts"] == public["ts"]
    assert "9 to 12" in words(changed)


def test_find_similar_uses_the_tagged_image(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    team.person.share(channel, samples / "motorcycle-left.png")
    similar = after(team, channel, team.person.command(channel, "/tag"), "find_similar")
    assert "Images like *motorcycle-left.png*" in words(similar)
    assert "1 near-duplicate" in words(similar)


def test_buttons_work_after_a_restart(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    team.person.share(channel, samples / "cat.png")
    found, tagged = team.person.command(channel, "/findimg animal"), team.person.command(channel, "/tag")
    team.restart()
    assert "Images like *cat.png*" in words(after(team, channel, tagged, "find_similar"))
    assert "9 to 12" in words(after(team, channel, found, "next"))


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

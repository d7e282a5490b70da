"""Teaching names in Slack: the modal, the shortcut, the command, the list, and who may."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from findimg.library.layout import taught_thumbnail_key
from findimg.storage.base import open_storage
from findimg.taught.events import ExampleEvent
from findimg.taught.log import TaughtLog
from findimg.taught.state import TaughtName
from tests.bot.person import BrowserUser, Json, elements, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow
HOSTILE = "<!channel> *x* & <https://evil.example|y>"


@pytest.fixture(scope="module")
def team(library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Yield a workspace and the bot, with a library that may be changed."""
    folder = tmp_path_factory.mktemp("teaching")
    shutil.copytree(library, folder / "library")
    team = Team("socket", folder, cache, str(folder / "library"))
    yield team
    team.close()


@pytest.fixture
def channel(team: Team) -> Iterator[str]:
    """Yield an empty channel in a workspace that taught nothing. Forget the lessons and the modals afterwards."""
    yield team.person.channel()
    log = TaughtLog(open_storage(team.environment["FINDIMG_LIBRARY"]))
    log.refresh()
    log.erase([event.id for event in log.events()])
    team.slack.workspace.team.modals.clear()


def newcomer(team: Team, name: str, channel: str) -> BrowserUser:
    """Return another person, who is in a channel."""
    workspace = team.slack.workspace
    user = team.slack.call(workspace.team.add_user, name)
    team.slack.call(workspace.team.channel(channel).members.add, user.id)
    return BrowserUser(workspace.address, user.token)


def taught(team: Team) -> dict[str, TaughtName]:
    """Return what the library holds."""
    return TaughtLog(open_storage(team.environment["FINDIMG_LIBRARY"])).refresh().names


def modal(person: BrowserUser, ready: bool = True) -> Json:
    """Return the person's open modal, by default with its pictures."""

    def opened() -> Json | None:
        view = person.state()["modal"]
        return view if view and not (ready and "Searching" in words(view)) else None

    return dict(until(opened))


def boxes(view: Json, action: str) -> tuple[str, Json]:
    """Return the block_id and the element of the check boxes `like` or `unlike`."""
    return next(
        (block["block_id"], block["element"])
        for block in view["blocks"]
        if block.get("element", {}).get("action_id") == action
    )


def ticked(view: Json, action: str, *names: str) -> Json:
    """Return the value of check boxes in which the pictures with these names are ticked."""
    block, element = boxes(view, action)
    options = [each for each in element["options"] if any(name in each["text"]["text"] for name in names)]
    assert len(options) == len(names)
    return {block: {action: {"selected_options": options}}}


def named(name: str) -> Json:
    return {"name": {"name": {"value": name}}}


def submit(person: BrowserUser, view: Json, *values: Json) -> None:
    person.ask("submit", view_id=view["id"], values={name: each for value in values for name, each in value.items()})


def confirmation(person: BrowserUser, channel: str) -> Json:
    return person.wait(channel, lambda each: "findimg knows" in words(each))


def click_in_modal(person: BrowserUser, view: Json, action: str, value: str | None = None, *values: Json) -> None:
    block = next(
        block["block_id"]
        for block in view["blocks"]
        for element in [*block.get("elements", ()), block.get("element", {}), block.get("accessory", {})]
        if element.get("action_id") == action
    )
    merged = {name: each for state in values for name, each in state.items()}
    person.ask("action", view_id=view["id"], block_id=block, action_id=action, value=value, values=merged)


def test_ticked_pictures_of_an_answer_teach_a_name(team: Team, channel: str) -> None:
    person = team.person
    answer = person.command(channel, "/findimg animal")
    person.click(channel, answer, "teach")
    view = modal(person)
    assert view["title"]["text"] == "Teach a name"
    name = next(block for block in view["blocks"] if block["block_id"] == "name")
    assert name["element"]["initial_value"] == "animal"
    assert len(images(view)) == 1  # one picture of all numbered hits
    label = next(block for block in view["blocks"] if block["block_id"] == boxes(view, "like")[0])["label"]["text"]
    assert label == 'These show "animal"'
    submit(person, view, named("Zqxmascot"), ticked(view, "like", "cat.png"), ticked(view, "unlike", "dalmatian"))
    told = confirmation(person, channel)
    assert told["ephemeral"]
    assert "*Zqxmascot* now: 1 picture shows it, 1 does not." in words(told)
    assert "First hits before: none. Now 10 of the first 10 are new:" in words(told)
    assert "1. *cat.png*" in words(told)
    (known,) = taught(team).values()
    assert [(Path(each.example.uri).name, each.shows) for each in known.examples] == [
        ("cat.png", True),
        ("dalmatian.jpg", False),
    ]
    assert known.people == (f"{team.slack.workspace.team.id}/{team.slack.workspace.me.id}",)
    assert "1. *cat.png*" in words(person.command(channel, "/findimg zqxmascots"))
    person.click(channel, told, "undo_lesson")
    person.wait(channel, lambda each: "Took back 2 examples" in words(each))
    assert taught(team) == {}


def test_unknown_word_is_taught_with_pictures_from_several_searches_and_pages(team: Team, channel: str) -> None:
    person = team.person
    refused = person.command(channel, "/findimg zqxthing")
    assert "'zqxthing' is unknown" in words(refused)
    person.click(channel, refused, "teach")
    view = modal(person)
    assert "unknown" in words(view)
    click_in_modal(person, view, "search_to_teach", "animal", {"look_for": {"search_to_teach": {"value": "animal"}}})
    first = until(lambda: (now := modal(person)) and "1 to 8" in words(now) and now)
    tick = ticked(first, "like", "cat.png")
    click_in_modal(person, first, "next_to_teach", None, tick)
    second = until(lambda: (now := modal(person)) and "9 to" in words(now) and now)
    assert "You chose 1 picture on other pages" in words(second)
    other = boxes(second, "like")[1]["options"][0]
    unlike = {boxes(second, "unlike")[0]: {"unlike": {"selected_options": [other]}}}
    click_in_modal(person, second, "previous_to_teach", None, unlike)
    third = until(lambda: (now := modal(person)) and "1 to 8" in words(now) and now)
    assert ["cat.png" in each["text"]["text"] for each in boxes(third, "like")[1]["initial_options"]] == [True]
    submit(person, third, named("zqxthing"), ticked(third, "like", "cat.png"))
    told = confirmation(person, channel)
    assert "1 picture shows it, 1 does not" in words(told)
    assert "1. *cat.png*" in words(told)


@pytest.mark.parametrize(
    ("name", "like", "unlike", "problem"),
    [
        ("zqx", (), (), "Tick at least one picture"),
        ("zqx", ("cat.png",), ("cat.png",), "ticked in both lists"),
        ("the", ("cat.png",), (), "too common"),
        ("!!!", ("cat.png",), (), "has no letters"),
        ("a b c d e f g", ("cat.png",), (), "Shorten it"),
    ],
)
def test_wrong_submission_is_explained_in_the_modal(
    team: Team, channel: str, name: str, like: tuple[str, ...], unlike: tuple[str, ...], problem: str
) -> None:
    person = team.person
    person.click(channel, person.command(channel, "/findimg animal"), "teach")
    view = modal(person)
    values = named(name) | ticked(view, "like", *like) | ticked(view, "unlike", *unlike)
    answer = person.try_to("submit", view_id=view["id"], values=values)
    assert not answer["ok"]
    assert problem in " ".join(answer["errors"].values())
    assert modal(person)["id"] == view["id"]
    assert taught(team) == {}


def test_shortcut_names_an_uploaded_picture(team: Team, channel: str, samples: Path) -> None:
    person = team.person
    message = person.share(channel, samples / "rocket.jpg")
    person.ask("shortcut", callback_id="name_picture", channel=channel, ts=message["ts"])
    view = modal(person)
    assert "rocket.jpg" in words(view)  # what looks like it
    submit(person, view, named(HOSTILE[:60]))
    told = confirmation(person, channel)
    assert "<!channel>" not in words(told)
    assert "<https://evil" not in words(told)
    (known,) = taught(team).values()
    (example,) = known.examples
    assert example.example.uri == ""
    thumbnail = open_storage(team.environment["FINDIMG_LIBRARY"]).read(taught_thumbnail_key(example.example.sha256))
    assert thumbnail.startswith(b"\xff\xd8")


def test_command_teaches_the_newest_picture_of_the_channel(team: Team, channel: str, samples: Path) -> None:
    person = team.person
    person.share(channel, samples / "coffee.png")
    person.ask("send", channel=channel, text="/teach zqx kitchen")
    view = modal(person)
    assert view["blocks"][0]["element"]["initial_value"] == "zqx kitchen"
    assert view["blocks"][1]["type"] == "image"
    submit(person, view, named("zqx kitchen"))
    assert "1. *coffee.png*" in words(confirmation(person, channel))


def test_modal_teaches_from_uploads(team: Team, channel: str, samples: Path) -> None:
    person = team.person
    person.ask("send", channel=channel, text="/teach zqxpet")
    view = modal(person)
    file = person.upload("cat.png", (samples / "cat.png").read_bytes())
    submit(person, view, named("zqxpet"), {"uploads": {"files": {"files": [file["id"]]}}})
    assert "1. *cat.png*" in words(confirmation(person, channel))


def test_mention_in_a_pictures_thread_teaches_it(team: Team, channel: str, samples: Path) -> None:
    person, bot = team.person, team.person.state()["bot"]["id"]
    message = person.share(channel, samples / "rocket.jpg")
    person.ask("send", channel=channel, text=f"<@{bot}> teach zqx launcher", thread_ts=message["ts"])
    told = confirmation(person, channel)
    assert told["thread_ts"] == message["ts"]
    assert "1. *rocket.jpg*" in words(told)
    person.ask("send", channel=channel, text=f"<@{bot}> teach zqx nothing")
    person.wait(channel, lambda each: "There is no picture here" in words(each))


def test_list_shows_names_and_removes_examples(team: Team, channel: str) -> None:
    person = team.person
    assert "Nobody taught a name yet" in words(person.command(channel, "/teach"))
    person.click(channel, person.command(channel, "/findimg animal"), "teach")
    view = modal(person)
    submit(person, view, named("zqxpet"), ticked(view, "like", "cat.png", "dalmatian"))
    confirmation(person, channel)
    listed = person.command(channel, "/teach")
    me = team.slack.workspace.me.id
    assert "*zqxpet* · 2 pictures show it" in words(listed)
    assert f"by <@{me}>" in words(listed)
    person.ask("home")
    until(lambda: (home := person.state()["home"]) and "*zqxpet*" in words(home))
    person.click(channel, listed, "open_taught")
    shown = modal(person)
    assert "cat.png · shows it" in str(shown["blocks"])
    option = next(each for each in boxes(shown, "remove")[1]["options"] if "dalmatian" in each["text"]["text"])
    submit(person, shown, {boxes(shown, "remove")[0]: {"remove": {"selected_options": [option]}}})
    left = until(lambda: (now := modal(person)) and "1 example removed" in words(now) and now)
    assert "dalmatian" not in str(left["blocks"])
    click_in_modal(person, left, "remove_name")
    until(lambda: "The name is gone" in words(modal(person)))
    assert taught(team) == {}
    person.click(channel, listed, "list_history")
    history = person.wait(channel, lambda each: "*History*" in words(each))
    assert "took back 1 example" in words(history)
    assert "taught that cat.png shows *zqxpet*" in words(history)


def test_everything_by_one_person_is_undone_or_erased(team: Team, channel: str) -> None:
    workspace, me = team.slack.workspace, team.person
    other = newcomer(team, "jo", channel)
    for person, name in ((me, "zqxpet"), (other, "zqxdog")):
        person.click(channel, person.command(channel, "/findimg animal"), "teach")
        view = modal(person)
        submit(person, view, named(name), ticked(view, "like", "cat.png"))
        confirmation(person, channel)
    me.click(channel, me.command(channel, "/teach"), "list_teachers")
    people = me.wait(channel, lambda each: "Who taught names" in words(each))
    block, button = next(
        found for found in elements(people["blocks"]) if found[1]["value"].endswith(str(workspace.me.id)) is False
    )
    me.ask("action", channel=channel, ts=people["ts"], block_id=block["block_id"], action_id=button["action_id"])
    me.wait(channel, lambda each: "Took back 1 example." in words(each))
    assert list(taught(team)) == ["zqxpet"]
    me.click(channel, people, "erase_own")
    me.wait(channel, lambda each: "Deleted 1 example of yours" in words(each))
    library = Path(team.environment["FINDIMG_LIBRARY"], "taught")
    assert str(workspace.me.id) not in "".join(
        each.read_text() for each in library.rglob("*.json") if "zqxpet" in each.read_text()
    )


def test_clicks_do_not_count_by_default(team: Team, channel: str) -> None:
    person = team.person
    teach_cat(person, channel)
    used = use(person, "cat.png")
    person.wait(used, lambda each: "Images like" in words(each))
    assert taught(team)["zqxpet"].clicks == 0


# The remaining tests use a bot with other settings. They come last, so that it starts once more only.


@pytest.fixture(scope="module")
def pupil(team: Team) -> tuple[BrowserUser, str, Json, Json]:
    """Start the bot with one teacher, and let it learn from clicks.

    Return another person, a channel, and an answer and an open modal of this person from before.
    """
    channel = team.person.channel()
    pupil = newcomer(team, "pupil", channel)
    answer = pupil.command(channel, "/findimg animal")
    pupil.click(channel, answer, "teach")
    view = modal(pupil)
    team.environment |= {"FINDIMG_TEACHERS": str(team.slack.workspace.me.id), "FINDIMG_LEARN": "clicks"}
    team.restart()
    return pupil, channel, answer, view


def test_only_teachers_teach(team: Team, pupil: tuple[BrowserUser, str, Json, Json]) -> None:
    person, channel, answer, view = pupil
    # At the submit, at the click, at the command, and in a thread.
    refused = person.try_to("submit", view_id=view["id"], values=named("zqx") | ticked(view, "like", "cat.png"))
    assert "FINDIMG_TEACHERS" in refused["errors"]["name"]
    person.click(channel, answer, "teach")
    person.wait(channel, lambda each: "Only some people may teach" in words(each))
    assert "Only some people" in words(person.command(channel, "/teach zqx"))
    told = person.command(channel, "/findimg animal")
    assert "teach" not in [element["action_id"] for _, element in elements(told["blocks"])]
    assert "Nobody taught" in words(person.command(channel, "/teach"))
    person.ask("send", channel=channel, text=f"<@{person.state()['bot']['id']}> teach zqx")
    team.person.wait(channel, lambda each: "Only some people" in words(each) and not each.get("ephemeral"))
    assert taught(team) == {}


def test_clicks_of_teachers_count_where_the_setting_allows_it(
    team: Team, channel: str, pupil: tuple[BrowserUser, str, Json, Json]
) -> None:
    person, other = team.person, pupil[0]
    teach_cat(person, channel)
    first, second = others_than_the_cat(person.command(channel, "/findimg zqxpet"))[:2]
    use(other, first)
    use(person, first, "share")
    until(lambda: taught(team)["zqxpet"].clicks == 1)
    for count in range(2, 6):
        use(person, first)
        until(lambda count=count: taught(team)["zqxpet"].clicks == count)
    use(person, first)
    use(person, second)
    until(lambda: taught(team)["zqxpet"].clicks == 6)
    assert sorted(each.weight for each in taught(team)["zqxpet"].examples) == pytest.approx([0.1, 0.5, 1])
    log = TaughtLog(open_storage(team.environment["FINDIMG_LIBRARY"]))
    log.refresh()
    clicks = [event for event in log.events() if isinstance(event, ExampleEvent) and event.is_click]
    assert {(event.by, event.time[8:]) for event in clicks} == {("", "T000000000000Z")}


def others_than_the_cat(answer: Json) -> list[str]:
    """Return the names of an answer's other pictures."""
    names = re.findall(r"\d+\. \*([^*]+)\*", words(answer))
    return [name for name in names if name != "cat.png"]


def teach_cat(person: BrowserUser, channel: str) -> None:
    """Teach `zqxpet` with one picture."""
    person.click(channel, person.command(channel, "/findimg animal"), "teach")
    view = modal(person)
    submit(person, view, named("zqxpet"), ticked(view, "like", "cat.png"))
    confirmation(person, channel)


def use(person: BrowserUser, name: str, what: str = "similar") -> str:
    """Use a picture of an answer for `zqxpet`, by its name, in a channel of its own, and return the channel."""
    channel = person.channel()
    answer = person.command(channel, "/findimg zqxpet")
    menu = next(element for _, element in elements(answer["blocks"]) if element["action_id"] == "choose_hit")
    labels = [group["label"]["text"] for group in menu["option_groups"]]
    person.choose(channel, answer, what, next(number for number, label in enumerate(labels) if name in label))
    return channel

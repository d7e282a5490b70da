"""Who may teach, and what a question or a message suggests to teach."""

from types import SimpleNamespace
from typing import Any

import pytest

from findimg.errors import QueryError
from findimg.search.query import parse
from findimg.settings import Settings
from findimg.taught.names import name_key
from findimg_bot.questions import Question
from findimg_bot.service.teaching import Teaching, name_query, suggested_name
from findimg_bot.slack.image_intent import name_to_teach
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack.person import Person, read_person

MEMBER, GUEST = Person("T1", "U1", True), Person("T2", "U2", False)
WORKFLOW = Person("T1", "", True)


def teaching(**settings: Any) -> Teaching:
    nothing: Any = None
    return Teaching(Settings(**settings), nothing, nothing, nothing, nothing)


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({}, [MEMBER]),
        ({"allow_teams": "T2"}, [MEMBER]),  # guests may search then, and not teach
        ({"allow_teams": "*"}, [MEMBER]),
        ({"teachers": "U1"}, [MEMBER]),
        ({"teachers": "T1/U1"}, [MEMBER]),
        ({"teachers": "T2/U1"}, []),
        ({"teachers": "U3, U4"}, []),
        ({"teachers": "U2"}, [GUEST]),
        ({"teachers": "T2/U2 U1", "allow_teams": "T2"}, [MEMBER, GUEST]),
    ],
)
def test_only_members_or_named_people_may_teach(settings: dict[str, str], allowed: list[Person]) -> None:
    service = teaching(**settings)
    assert [person for person in (MEMBER, GUEST, WORKFLOW) if service.may_teach(person)] == allowed
    for person in {MEMBER, GUEST, WORKFLOW} - set(allowed):
        with pytest.raises(QueryError, match="FINDIMG_TEACHERS"):
            service.check_may_teach(person)


def request(team: str | None, enterprise: str | None = None, user: str = "U1") -> Any:
    """Return the context of a request to an installation."""
    result = SimpleNamespace(team_id=team, enterprise_id=enterprise)
    return SimpleNamespace(authorize_result=result, user_id=user, team_id=team, enterprise_id=enterprise)


@pytest.mark.parametrize(
    ("body", "context", "person"),
    [
        ({"command": "/teach", "team_id": "T1"}, request("T1"), Person("T1", "U1", True)),
        ({"command": "/teach", "team_id": "T2"}, request("T1"), Person("T2", "U1", False)),
        ({"user": {"id": "U1", "team_id": "T1"}, "team": {"id": "T9"}}, request("T1"), Person("T1", "U1", True)),
        ({"user": {"id": "U1", "team_id": "T2"}, "team": {"id": "T1"}}, request("T1"), Person("T2", "U1", False)),
        ({"event": {"user_team": "T2"}, "is_ext_shared_channel": True}, request("T1"), Person("T2", "U1", False)),
        ({"event": {}, "is_ext_shared_channel": True}, request("T1"), Person("", "U1", False)),
        ({"event": {}}, request("T1"), Person("T1", "U1", True)),
        ({"command": "/teach", "team_id": "T2", "enterprise_id": "E1"}, request(None, "E1"), Person("T2", "U1", True)),
    ],
)
def test_person_is_a_member_of_the_team_that_installed_the_app(
    body: dict[str, Any], context: Any, person: Person
) -> None:
    assert read_person(body, context) == person


@pytest.mark.parametrize(
    ("question", "name"),
    [
        (Question("/findimg", "lotus"), "lotus"),
        (Question("/findimg", "photos of our booth"), "our booth"),
        (Question("/findimg", '"Berlin office"'), "Berlin office"),
        (Question("/findimg", "lotus in:2024"), "lotus"),
        (Question("/findimg", "lotus -pond"), ""),
        (Question("/findimg", "cat or dog"), ""),
        (Question("/findimg", "in:2024"), ""),
        (Question("/findimg", "the"), ""),
        (Question("/findimg", "x" * 100), ""),
        (Question("/similar", "", like="/a.jpg"), ""),
    ],
)
def test_suggested_name_is_what_a_question_asks_for(question: Question, name: str) -> None:
    assert suggested_name(question) == name


@pytest.mark.parametrize("name", ["lotus", "our booth", "Berlin office", "cats or dogs", "-x", "in:2024", "not a cat"])
def test_query_for_a_name_is_one_wish(name: str) -> None:
    query = parse(name_query(name))
    assert name_key(" ".join(term.text for term in query.terms)) == name_key(name)
    assert all(term.weight == 1 and not term.alternatives for term in query.terms)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<@U9> teach lotus", "lotus"),
        ("teach this as our booth", "our booth"),
        ("Teach it: lotus", "lotus"),
        ("teach: our booth", "our booth"),
        ("/teach lotus", "lotus"),
        ("teach", ""),
        ("teacher", ""),
        ("a teach lotus", ""),
    ],
)
def test_message_names_what_to_teach(text: str, name: str) -> None:
    assert name_to_teach(read_message(text)) == name

"""Questions: a command, its text, and the image that it is about. `question_results.py` finds their results."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from findimg.errors import QueryError
from findimg.search.image_features import ImageFeatures
from findimg.search.query import Query, parse

Layout = Literal["list", "grid"]
TERMINAL_COMMANDS = ("/findimg", "/similar", "/tag", "/words")  # of `findimg-bot ask`


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks, with everything that the next page of its results needs."""

    command: str  # `/findimg`, `/similar` or `/tag`; `/words` only in the terminal
    text: str  # what was typed after it
    like: str | None = None  # URI of the indexed image it is about, where the text names none
    features: ImageFeatures | None = None  # of the uploaded image it is about
    name: str = ""  # file name of that image
    layout: Layout = "list"


def read_terminal_command(text: str) -> Question:
    """Return the question in a TEXT of `findimg-bot ask`, such as `/findimg cat sofa`, `/tag` or `/words said`.

    Without a command it is a search. Slack sends commands and texts apart: see `service/question_from_message.py`.

    Raises:
        QueryError: the line starts with a slash, but with none of the commands.
    """
    command, _, rest = text.strip().partition(" ")
    if not command.startswith("/"):
        return Question("/findimg", text.strip())
    if command not in TERMINAL_COMMANDS:
        raise QueryError(f"{command!r} is not a command. Start with one of {', '.join(TERMINAL_COMMANDS)}.")
    return Question(command, rest.strip())


def parse_question(question: Question) -> Query:
    """Return the parsed query of a question about images.

    Raises:
        QueryError: the text cannot be parsed.
    """
    about_image = question.features is not None or question.like is not None
    if not question.text and question.command != "/findimg":
        return Query("", like=question.like)
    query = parse(question.text, image=about_image, today=date.today())
    return replace(query, like=question.like) if question.like is not None else query

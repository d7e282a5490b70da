from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.errors import QueryError
from findimg.search.query import LONGEST, Query, Term, parse
from findimg_bot.slack.message_text import read_message

TODAY = date(2026, 11, 26)
FILE = "https://acme.slack.com/files/U1ABC/F1ABC/holiday.jpg"
HANDED_OUT = "https://files.slack.com/files-pri/T1ABC-F1ABC/holiday.jpg"
MESSAGE = "https://acme.slack.com/archives/C1ABC/p1717243200123456"
REPLY = f"{MESSAGE}?thread_ts=1717243100.000100&cid=C1ABC"


def shown(query: Query) -> str:
    """Write a query's words down: `cat -dog`, `dog|cat`, `"fire engine"`, `cat:2`, and its filters."""

    def word(term: Term) -> str:
        texts = "|".join(f'"{each}"' if " " in each else each for each in term.texts)
        return "-" * (term.weight < 0) + texts + (f":{abs(term.weight):g}" if abs(term.weight) != 1 else "")

    filters = query.filters
    parts = [word(term) for term in query.terms]
    parts += [f"in={each}" for each in filters.folders] + [f"-in={each}" for each in filters.not_folders]
    parts += [f"name={each}" for each in filters.names]
    parts += [f"after={filters.after}"] * bool(filters.after) + [f"before={filters.before}"] * bool(filters.before)
    parts += [f"type={each}" for each in filters.formats]
    parts += [f"sort={query.order}"] * (query.order != "best") + [f"like={query.like}"] * bool(query.like)
    return " ".join(parts)


TEXTS = [
    # "no", and words between two things
    ("dogs, no cats", "dogs -cats"),
    ("cat – no dog", "cat -dog"),
    ("cat (no dogs)", "cat -dogs"),
    ("sign no smoking", "sign no smoking"),
    ("cat vs dog", "cat dog"),
    ("cat x dog", "cat dog"),
    ("either cat or dog", "cat|dog"),
    ("the one with the red umbrella", "red umbrella"),
    ("anything with a piano?", "piano"),
    # Dates in plain words
    ("pizza from last week", "pizza after=2026-11-16 before=2026-11-23"),
    ("pizza last month", "pizza after=2026-10-01 before=2026-11-01"),
    ("pizza, yesterday", "pizza after=2026-11-25 before=2026-11-26"),
    ("pizza since Monday", "pizza after=2026-11-23"),
    ("pizza from 3 weeks ago!", "pizza after=2026-11-05 before=2026-11-06"),
    ("photos from 2023", "after=2023-01-01 before=2024-01-01"),
    ("pictures of pizza taken before 2020", "pizza before=2020-01-01"),
    ("pizza in June 2024?", "pizza after=2024-06-01 before=2024-07-01"),
    ("pizza on 1 June 2024 in the garden", "pizza in the garden after=2024-06-01 before=2024-06-02"),
    ("pizza after 2020 before 2022", "pizza after=2020-01-01 before=2022-01-01"),
    ("pizza before:2020 from 2019", "pizza from 2019 before=2020-01-01"),
    ("dog in sun", "dog in sun"),
    ("band in march", "band in march"),
    ("error in 500", "error in 500"),
    ("before and after", "before and after"),
    ('"from 2023"', '"from 2023"'),
    # Punctuation at the edges of words and between them
    ("pizza", "pizza"),
    ("Pizza", "Pizza"),
    ("pizza?", "pizza"),
    ("pizza!", "pizza"),
    ("pizza!!!", "pizza"),
    ("pizza.", "pizza"),
    ("pizza…", "pizza"),
    ("pizza...", "pizza"),
    ("pizza, umbrella", "pizza umbrella"),
    ("pizza,umbrella", "pizza umbrella"),
    ("pizza ,umbrella", "pizza umbrella"),
    ("pizza; umbrella", "pizza umbrella"),
    ("pizza: umbrella", "pizza umbrella"),
    ("pizza、umbrella。", "pizza umbrella"),
    ("pizza，umbrella！", "pizza umbrella"),
    ("¿pizza?", "pizza"),
    ("¡pizza!", "pizza"),
    ("(pizza)", "pizza"),
    ("[pizza] {umbrella}", "pizza umbrella"),
    ("#pizza", "pizza"),
    ("pizza & umbrella", "pizza umbrella"),
    ("pizza &amp; umbrella", "pizza umbrella"),
    ("pizza + umbrella", "pizza umbrella"),
    ("pizza = umbrella", "pizza umbrella"),
    ("pizza\numbrella", "pizza umbrella"),
    ("pizza\u00a0umbrella", "pizza umbrella"),
    ("pizza\u3000umbrella", "pizza umbrella"),
    ("\u200bpizza\u200b", "pizza"),
    ("\ufeffpizza", "pizza"),
    ("\u2068pizza\u2069", "pizza"),
    ("dog/cat", "dog|cat"),
    ("dog / cat", "dog|cat"),
    ("dog or cat?", "dog|cat"),
    ("dog|cat", "dog|cat"),
    ("dog and/or cat", "dog|cat"),
    ("elephant's", "elephant"),
    ("elephant’s", "elephant"),
    ("elephants'", "elephants"),
    ("the elephant's trunk", "the elephant trunk"),
    ("rock ’n’ roll", "rock n roll"),
    ("rock’n’roll", "rock'n'roll"),
    ("t-shirt", "t-shirt"),
    ("t‑shirt", "t-shirt"),
    ("U.S. flag", "U.S flag"),
    ("cat.", "cat"),
    ("ｐｉｚｚａ", "pizza"),
    ("cafe\u0301", "café"),
    # Quotation marks
    ('"fire engine"', '"fire engine"'),
    ("“fire engine”", '"fire engine"'),
    ("”fire engine“", '"fire engine"'),
    ("„fire engine“", '"fire engine"'),
    ("„fire engine”", '"fire engine"'),
    ("«fire engine»", '"fire engine"'),
    ("« fire engine »", '"fire engine"'),
    ("»fire engine«", '"fire engine"'),
    ("‹fire engine›", '"fire engine"'),
    ("'fire engine'", '"fire engine"'),
    ("‘fire engine’", '"fire engine"'),
    ("‚fire engine‘", '"fire engine"'),
    ("「fire engine」", '"fire engine"'),
    ("『fire engine』", '"fire engine"'),
    ("＂fire engine＂", '"fire engine"'),
    ("＇fire engine＇", '"fire engine"'),
    ("´fire engine´", '"fire engine"'),
    ("“fire engine”, red", '"fire engine" red'),
    ("“fire engine”:2", '"fire engine":2'),
    ("red “fire engine", "red fire engine"),
    ('fire engine"', "fire engine"),
    ('27" screen', "27 screen"),
    ("“pizza,” please", "pizza"),
    ("&quot;fire engine&quot;", '"fire engine"'),
    ("「猫」 ソファ", "猫 ソファ"),
    # Dashes
    ("animal -leopard", "animal -leopard"),
    ("animal –leopard", "animal -leopard"),
    ("animal —leopard", "animal -leopard"),
    ("animal −leopard", "animal -leopard"),
    ("animal ‑leopard", "animal -leopard"),
    ("animal －leopard", "animal -leopard"),
    ("animal ﹣leopard", "animal -leopard"),
    ("animal ‒leopard", "animal -leopard"),
    ("animal --leopard", "animal -leopard"),
    ("animal – leopard", "animal leopard"),
    ("animal - leopard", "animal leopard"),
    ("animal—leopard", "animal leopard"),
    ("animal --- leopard", "animal leopard"),
    ("animal –“snow leopard”", 'animal -"snow leopard"'),
    ("animal, –leopard", "animal -leopard"),
    ("animal not leopard", "animal -leopard"),
    ("animal but not a leopard", "animal -leopard"),
    ("animal without leopards", "animal -leopards"),
    # Filters
    ("pizza in：cup", "pizza in=cup"),
    ("pizza ｉｎ：cup", "pizza in=cup"),
    ("pizza in: cup", "pizza in=cup"),
    ("pizza IN:Cup", "pizza in=cup"),
    ("pizza in:cup,", "pizza in=cup"),
    ("pizza (in:cup)", "pizza in=cup"),
    ("pizza –in:cup", "pizza -in=cup"),
    ("pizza in:“World Cup”", "pizza in=world cup"),
    ("pizza in:‘World Cup’", "pizza in=world cup"),
    ("pizza in:「World Cup」", "pizza in=world cup"),
    ("pizza in:R&amp;D", "pizza in=r&d"),
    ("pizza in:_drafts_ name:*x*", "pizza in=_drafts_ name=x"),
    ("in:cup", "in=cup"),
    ("in:cup sort:date", "in=cup sort=newest"),
    ("pizza after:2024–06–01", "pizza after=2024-06-01"),
    ("pizza after:2024‑06", "pizza after=2024-06-01"),
    ("pizza before：2020", "pizza before=2020-01-01"),
    ("pizza after:June", "pizza after=2026-06-01"),
    ("pizza after:June 2024, please", "pizza after=2024-06-01"),
    ("pizza before:yesterday", "pizza before=2026-11-25"),
    ("pizza date:2024", "pizza after=2024-01-01 before=2025-01-01"),
    ("pizza date:2020–2021", "pizza after=2020-01-01 before=2022-01-01"),
    ("pizza type:PNG.", "pizza type=PNG"),
    ("like:s3://bucket/a_b_c.jpg", "like=s3://bucket/a_b_c.jpg"),
    ("like:“/photos/Anna’s –1.jpg”", "like=/photos/Anna’s –1.jpg"),
    # Formatting
    ("*pizza*", "pizza"),
    ("_pizza_", "pizza"),
    ("~pizza~", "pizza"),
    ("`pizza`", "pizza"),
    ("```pizza```", "pizza"),
    ("```\npizza\numbrella\n```", "pizza umbrella"),
    ("*_pizza_*", "pizza"),
    ("*pizza* _umbrella_", "pizza umbrella"),
    ("*pizza umbrella*", "pizza umbrella"),
    ("`pizza umbrella`", "pizza umbrella"),
    ("*pizza*, *umbrella*", "pizza umbrella"),
    ("• pizza", "pizza"),
    ("• pizza\n• umbrella", "pizza umbrella"),
    ("◦ pizza", "pizza"),
    ("- pizza\n- umbrella", "pizza umbrella"),
    ("* pizza", "pizza"),
    ("1. pizza\n2. umbrella", "pizza umbrella"),
    ("&gt; pizza", "pizza"),
    ("&gt;&gt;&gt; pizza", "pizza"),
    ("&gt; *pizza*\n&gt; umbrella", "pizza umbrella"),
    ("animal *-leopard*", "animal -leopard"),
    ("pizza *", "pizza"),
    # Emoji
    (":pizza:", "pizza"),
    ("🍕", "pizza"),
    ("🍕🍕", "pizza pizza"),
    (":pizza: :umbrella:", "pizza umbrella"),
    ("pizza :smile:", "pizza"),
    ("pizza 😀", "pizza"),
    ("pizza :+1::skin-tone-3:", "pizza"),
    ("pizza 👍🏽", "pizza"),
    ("pizza :pray: :heart:", "pizza"),
    ("pizza :party-parrot:", "pizza"),
    (":dog: or :cat:", "dog|cat"),
    (":dog: -:cat: –🍕", "dog -cat -pizza"),
    ("🐶 🛋️", "dog couch"),
    ("red :car:", "red car"),
    (":evergreen_tree:", "tree"),
    ("🔍 pizza", "pizza"),
    # The bot's address
    ("<@U1BOT> pizza", "pizza"),
    ("<@U1BOT>: pizza", "pizza"),
    ("<@U1BOT>, pizza", "pizza"),
    ("<@U1BOT|findimg> pizza", "pizza"),
    ("pizza <@U1BOT>", "pizza"),
    ("pizza, <@U1BOT>?", "pizza"),
    ("hey <@U1BOT> pizza", "pizza"),
    ("hey <@U1BOT>, can you find pizza?", "pizza"),
    ("@findimg pizza", "pizza"),
    ("@findimg: pizza", "pizza"),
    ("@findimg, pizza", "pizza"),
    ("＠findimg：pizza", "pizza"),
    ("@Findimg pizza", "pizza"),
    ("findimg: pizza", "pizza"),
    ("findimg pizza", "pizza"),
    ("hey findimg, pizza", "pizza"),
    ("/findimg pizza", "pizza"),
    ("pizza @findimg", "pizza"),
    ("<!here> pizza", "pizza"),
    ("<#C1ABC|lunch> pizza", "pizza"),
    ("pizza <!subteam^S1ABC|@cooks>", "pizza"),
    # Polite words
    ("pizza please", "pizza"),
    ("pizza, please!", "pizza"),
    ("please pizza", "pizza"),
    ("pls pizza thx", "pizza"),
    ("show me pizza", "pizza"),
    ("Show me pizza, please.", "pizza"),
    ("show us pizza", "pizza"),
    ("find me pizza", "pizza"),
    ("find pizza", "pizza"),
    ("can you find pizza?", "pizza"),
    ("could you please show me pizza", "pizza"),
    ("hi, pizza please, thanks!", "pizza"),
    ("Hello! Pizza?", "Pizza"),
    ("hi there, show me pizza", "pizza"),
    ("I'm looking for pizza", "pizza"),
    ("i’m looking for pizza", "pizza"),
    ("looking for pizza", "pizza"),
    ("search for pizza", "pizza"),
    ("I need pizza", "pizza"),
    ("we would like to see pizza", "pizza"),
    ("do you have pizza?", "pizza"),
    ("do we have any pizza", "pizza"),
    ("are there any pizza", "pizza"),
    ("pizza thank you so much", "pizza"),
    ("pizza - many thanks in advance", "pizza"),
    ("“please”", "please"),
    # Links and entities
    ("<http://example.com|example.com> pizza", "example.com pizza"),
    ("<http://st.bernard|st.bernard>", "st.bernard"),
    ("&lt;pizza&gt;", "pizza"),
    ("pizza &lt;3", "pizza"),
]


@pytest.mark.parametrize(("text", "query"), TEXTS)
def test_text_becomes_the_expected_query(text: str, query: str) -> None:
    read = read_message(text)
    assert (read.intent, read.links, read.web_links) == ("query", (), ())
    assert shown(parse(read.text, today=TODAY)) == query


def test_the_table_is_long_enough() -> None:
    assert len(set(TEXTS)) >= 150


@pytest.mark.parametrize(
    "text",
    [
        *(
            "help",
            "help!",
            "Help?",
            "HELP",
            "?",
            "??",
            "？",
            "--help",
            "-h",
            "/help",
            "*help*",
            "<@U1BOT> help",
            "help me!",
        ),
        *("@findimg: help", "how does this work?", "What can you do?", "who are you", "help please", ":wave: help"),
    ],
)
def test_request_for_help_is_recognised(text: str) -> None:
    assert read_message(text).intent == "help"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "hi",
            "Hi!",
            "hello",
            "hey",
            "hey there",
            "hi all",
            "hi <@U1BOT>",
            "<@U1BOT> hello!",
            "good morning",
            "thanks",
        ),
        *(
            "thanks!",
            "thank you",
            "Thank you so much!",
            "thanks a lot :smile:",
            "ty",
            "thx",
            "many thanks",
            "ok, thanks",
        ),
        *("cool", "nice!", "great, thank you!", "lol", "ok", ":+1:", "👍", "🙏🏽 thanks", ":heart: :heart:", "bye"),
        *("how are you?", "well done findimg!", "that’s great", "no problem", "hi there, how are you?", "test", "..."),
    ],
)
def test_small_talk_is_not_a_query(text: str) -> None:
    assert read_message(text).intent == "small_talk"


@pytest.mark.parametrize("text", ["", "  ", "<@U1BOT>", "<@U1BOT> ", "@findimg", "<!here>"])
def test_text_without_words_is_empty(text: str) -> None:
    assert read_message(text).intent == "nothing"


@pytest.mark.parametrize(
    "text", ["all", "team", "greatest pizza", "hi pizza", "thank you card", "morning sun", "cool car"]
)
def test_words_beside_small_talk_are_a_query(text: str) -> None:
    assert read_message(text).intent == "query"


@pytest.mark.parametrize("link", [FILE, HANDED_OUT, MESSAGE, REPLY])
@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("<{}>", ""),
        ("<{}|holiday.jpg>", ""),
        ("<{0}|{0}>", ""),
        ("{}", ""),
        ("like:<{}>", ""),
        ("like:{}", ""),
        ('like:"<{}>"', ""),
        ("like:“{}”", ""),
        ("Like： <{}>", ""),
        ("“<{}>”", ""),
        ("*<{}>*", ""),
        ("in:a <{}> type:png", "in:a type:png"),
        ("similar to <{}> please", "similar to please"),
        ("<@U1BOT> more like <{}>.", "more like ."),
        ("<@U1BOT> more like {}, in:a", "more like in:a"),
        ("(<{}>) in:a", "( ) in:a"),
    ],
)
def test_a_link_to_a_picture_in_slack_is_that_picture(link: str, form: str, text: str) -> None:
    read = read_message(form.format(link.replace("&", "&amp;")))
    assert (read.links, read.web_links) == ((link,), ())
    assert read.text.strip("*") == text
    assert parse(read.text, image=True, today=TODAY).terms == ()


@pytest.mark.parametrize(
    ("text", "address", "words"),
    [
        ("<https://example.com/cat.jpg>", "https://example.com/cat.jpg", ""),
        ("<https://example.com/cat.jpg|https://example.com/cat.jpg>", "https://example.com/cat.jpg", ""),
        ("https://example.com/cat.jpg", "https://example.com/cat.jpg", ""),
        ("like:<https://example.com/cat.jpg>", "https://example.com/cat.jpg", "like:"),
        ("<https://example.com/a?b=1&amp;c=2> pizza", "https://example.com/a?b=1&c=2", "pizza"),
        ("find <https://example.com/|this cat>", "https://example.com/", "find this cat"),
        ("look: http://example.com/cat.jpg!", "http://example.com/cat.jpg", "look:"),
        ("<https://acme.slack.com/archives/C1ABC>", "https://acme.slack.com/archives/C1ABC", ""),
    ],
)
def test_web_address_is_recognised(text: str, address: str, words: str) -> None:
    read = read_message(text)
    assert (read.links, read.web_links, read.text) == ((), (address,), words)


def test_several_links_keep_their_order() -> None:
    read = read_message(f"<{FILE}> and <{MESSAGE}> or <https://example.com>")
    assert (read.links, read.web_links) == ((FILE, MESSAGE), ("https://example.com",))


chat = [
    "<@U1BOT>",
    "<#C1|x>",
    "<!here>",
    "<!date^1^{date}|June>",
    f"<{FILE}>",
    FILE,
    "https://x.yz/",
    "<http://a.b|a.b>",
]
chat += [
    "&amp;",
    "&lt;",
    "&gt;",
    "*",
    "_",
    "~",
    "`",
    "```",
    "• ",
    "&gt; ",
    "\n",
    "1. ",
    ":pizza:",
    ":+1:",
    "🍕",
    "👍🏽",
    "“",
    "”",
]
chat += [
    "'",
    '"',
    "–",
    "—",
    "-",
    " ",
    " ",
    "please ",
    "thanks",
    "not ",
    " or ",
    "/",
    "|",
    "in:",
    "like:",
    "before:",
    "type:",
]
chat += [
    "date:",
    "sort:",
    "class:",
    "name:",
    "2024",
    "June ",
    "cat",
    "dog ",
    "pizza",
    ":2",
    ":",
    "?",
    "!",
    "@findimg",
    "<",
    ">",
]


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(chat) | st.text(max_size=4), max_size=30).map("".join), st.booleans())
def test_any_text_of_a_chat_is_a_query_or_a_friendly_sentence(text: str, image: bool) -> None:
    read = read_message(text)
    assert read.text == read.text.strip()
    assert "\ue000" not in read.text
    try:
        parse(read.text[:LONGEST], image=image, today=TODAY)
    except QueryError as error:
        message = str(error)
        if "At character" in message or not message.endswith("."):
            pytest.fail(message)

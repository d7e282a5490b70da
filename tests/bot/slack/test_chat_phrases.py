"""Test sentences of real chats: requests and thanks in several languages, mail, emoticons, lists and names."""

import pytest

from findimg.errors import QueryError
from findimg.search.query import parse
from findimg_bot.slack.image_intent import image_task
from findimg_bot.slack.message_text import MessageText, read_message
from tests.bot.slack.test_message_text import TODAY, shown

QUERIES = [
    # Requests
    ("Can you find me a pic of a dog", "dog"),
    ("can u find me dog pics pls", "dog pics"),
    ("any pics of pizza?", "pizza"),
    ("any pictures of the beach", "beach"),
    ("anybody got a pic of a cat", "cat"),
    ("does anyone have pics of elephants", "elephants"),
    ("Hi all, does anybody have a photo of a zebra? Thx!", "zebra"),
    ("gimme dogs", "dogs"),
    ("lemme see dogs", "dogs"),
    ("I wanna see cats", "cats"),
    ("I’d love to see some zebras", "zebras"),
    ("i'm trying to find a zebra", "a zebra"),
    ("where can I find zebras", "zebras"),
    ("what about zebras", "zebras"),
    ("would it be possible to see a zebra", "a zebra"),
    ("Good morning! zebra please", "zebra"),
    ("Morning all, zebra?", "zebra"),
    ("morning sun", "morning sun"),
    ("dear friends", "dear friends"),
    ("Re: zebra", "zebra"),
    ("search: zebra", "zebra"),
    ("and/or zebra", "zebra"),
    # "No" and its synonyms
    ("zebra but no lion", "zebra -lion"),
    ("zebra excluding lions", "zebra -lions"),
    ("zebra minus lion", "zebra -lion"),
    ("zebra except for lions", "zebra -lions"),
    ("cat, don’t show dogs", "cat -dogs"),
    ("no parking", "no parking"),
    # Thanks, chatter and emoticons at the end
    ("zebra thanks :)", "zebra"),
    ("zebra tysm", "zebra"),
    ("zebra thanks for the help!", "zebra"),
    ("zebra cheers mate", "zebra"),
    ("zebra asap please", "zebra"),
    ("zebra haha", "zebra"),
    ("zebra :D", "zebra"),
    ("zebra XD", "zebra"),
    ("zebra &lt;3", "zebra"),
    ("zebra :-)", "zebra"),
    ("zebra o_O", "zebra"),
    ("zebra ¯\\_(ツ)_/¯", "zebra"),
    ("zebra, lion, etc.", "zebra lion"),
    ("cat:3", "cat:3"),
    # Other languages
    ("Zebra bitte", "Zebra"),
    ("Guten Morgen, Zebra bitte!", "Zebra"),
    ("Zeig mir bitte ein Zebra", "ein Zebra"),
    ("Ich suche ein Zebra", "ein Zebra"),
    ("Kannst du mir ein Zebra zeigen?", "ein Zebra"),
    ("Hast du ein Bild von einem Zebra?", "Zebra"),
    ("Gibt es Bilder von Zebras?", "Zebras"),
    ("Hund, vielen Dank!", "Hund"),
    ("un zèbre s'il vous plaît", "un zèbre"),
    ("un zèbre svp", "un zèbre"),
    ("Bonjour, je cherche un chien", "un chien"),
    ("montre-moi un zèbre", "un zèbre"),
    ("une photo d’un chien", "chien"),
    ("chien, merci beaucoup", "chien"),
    ("muéstrame un perro por favor", "un perro"),
    ("fotos de perros, gracias", "perros"),
    ("per favore un cane", "un cane"),
    ("cachorro, obrigado!", "cachorro"),
    ("собака, пожалуйста", "собака"),
    ("\u200fقطة؟\u200f", "قطة"),
    # Mail, lists and blocks
    ("Hi,\n\nplease find a zebra.\n\nBest,\nAnna", "a zebra"),
    ("Hi findimg,\n\ncould you please find a zebra?\n\nThanks,\nAnna", "a zebra"),
    ("Dear bot,\nI need a zebra.\nKind regards", "a zebra"),
    ("Hallo zusammen,\nein Zebra bitte\nViele Grüße\nJan", "ein Zebra"),
    ("zebra\n\nSent from my iPhone", "zebra"),
    ("zebra\n--\nAnna Example\n+49 1234", "zebra"),
    ("a) zebra\nb) lion", "zebra lion"),
    ("– zebra\n– lion", "zebra lion"),
    ("&gt; zebra\nthis one please", "zebra this one"),
    ("```zebra\nlion```", "zebra lion"),
    # People, channels, addresses and dates
    ("<@U1BOT> zebra cc <@U2ANNA>", "zebra"),
    ("zebra @anna", "zebra"),
    ("@here zebra", "zebra"),
    ("zebra in:<#C1ABC|photos>", "zebra"),
    ("to:<@U2ANNA> zebra", "zebra"),
    ("zebra <mailto:anna@example.com|anna@example.com>", "zebra"),
    ("<tel:+491234|+49 1234> zebra", "zebra"),
    ("zebra before:<!date^1717200000^{date_short}|Jun 1, 2024>", "zebra before=2024-06-01"),
    ("zebra after:last week", "zebra after=2026-11-16"),
    ("zebra date:1st of June 2024", "zebra after=2024-06-01 before=2024-06-02"),
    ("#baby_zebra", "baby_zebra"),
    ("zebra on:2024-05-01", "zebra after=2024-05-01 before=2024-05-02"),
    ("zebra on:yesterday", "zebra after=2026-11-25 before=2026-11-26"),
    ("zebra On:“June 2024”", "zebra after=2024-06-01 before=2024-07-01"),
    ("lights on: zebra", "lights on zebra"),
    # The end of a sentence behind a filter or a date
    ("zebra date:2020…2021…", "zebra after=2020-01-01 before=2022-01-01"),
    ("zebra before:2024!!1", "zebra before=2024-01-01"),
    ("zebra type:png...", "zebra type=PNG"),
    ("zebra in:cup…", "zebra in=cup"),
    ("zebra sort:newest!!1", "zebra sort=newest"),
    ("zebra from yesterday…", "zebra after=2026-11-25 before=2026-11-26"),
    ("zebra since last week!!1", "zebra after=2026-11-16"),
    ("zebra last year…", "zebra after=2025-01-01 before=2026-01-01"),
    ("zebra!!1", "zebra"),
    ("zebra 11", "zebra 11"),
    # A first line that greets, and one that only looks like it
    ("Hi Anna,\nzebra", "zebra"),
    ("Hi Anna\n\nzebra", "zebra"),
    ("hi all\nzebra", "zebra"),
    ("Dear Anna\nzebra", "zebra"),
    ("hi zebra\nlion", "zebra lion"),
    ("hi zebra\n\nlion", "zebra lion"),
    ("hey find zebra\nlion", "zebra lion"),
    ("Hi, find a zebra!\nlion", "a zebra lion"),
    ("hi, zebra!\nlion", "zebra lion"),
    # More of what people say
    ("yo zebra", "zebra"),
    ("morning all – zebra", "zebra"),
    ("help me find a zebra", "a zebra"),
    ("anyone got a zebra", "a zebra"),
    ("which photos show a zebra?", "zebra"),
    ("need a zebra", "zebra"),
    ("can we get a zebra", "zebra"),
    ("zebra when you have a sec", "zebra"),
    ("zebra, if possible", "zebra"),
    ("zebra s.v.p.", "zebra"),
    ("zebra or so", "zebra"),
    ("zebra or sofa", "zebra|sofa"),
    # Emoji sequences
    (":female-firefighter::skin-tone-4:", "firefighter"),
    ("👩🏽\u200d🚒 truck", "firefighter truck"),
    ("🦓❤️", "zebra"),
    ("✅ zebra ➡️ lion", "zebra lion"),
    (":blob-wave: zebra", "zebra"),
    ("\ud83d zebra", "zebra"),  # half of a character, which JSON can hold
]


@pytest.mark.parametrize(("text", "query"), QUERIES)
def test_sentence_becomes_the_query_in_it(text: str, query: str) -> None:
    read = read_message(text)
    assert (read.intent, read.links, read.web_links) == ("query", (), ())
    assert shown(parse(read.text, today=TODAY)) == query


@pytest.mark.parametrize(
    "text", ["zebra from:<@U2ANNA>", "from:@anna zebra", "zebra From:me", "zebra -from:<@U2|anna>"]
)
def test_who_posted_a_picture_is_said_to_be_unknown(text: str) -> None:
    with pytest.raises(QueryError, match=r"findimg does not know who posted a picture\. Leave out `-?[Ff]rom:`"):
        parse(read_message(text).text, today=TODAY)


@pytest.mark.parametrize(
    "text",
    [
        *("Danke!", "Vielen Dank", "Guten Tag", "Moin", "Tschüss", "bonjour", "Merci beaucoup !", "¡gracias!", "ciao"),
        *("привет", "ありがとう", "谢谢", "شكرا", "hola!", "thanks :)", "thanks for the help", "thanks, that helped"),
        *("this is awesome!", "yes please", "no problem", "not really", "oh no", "hmm", "omg", "lgtm", "happy friday"),
        *("are you there?", "is this working", "sounds good", "that’s it, thank you", "great job bot", "\\o/", "''"),
    ],
)
def test_small_talk_of_any_kind_is_no_query(text: str) -> None:
    assert read_message(text).intent == "small_talk"


@pytest.mark.parametrize("text", ["Hilfe!", "hilfe bitte", "Wie geht das?", "aide", "ayuda", "how to use this?"])
def test_call_for_help_in_other_languages(text: str) -> None:
    assert read_message(text).intent == "help"


@pytest.mark.parametrize("text", ["this", "this one please", "the same", "more", "show more", "anything else?", "a"])
def test_text_that_only_points_has_no_words(text: str) -> None:
    assert read_message(text).intent == "nothing"


@pytest.mark.parametrize(
    "text", ["www.example.com/cat.jpg", "<http://www.example.com/cat.jpg|www.example.com/cat.jpg>"]
)
def test_address_without_scheme_is_an_address(text: str) -> None:
    read = read_message(text)
    assert len(read.web_links) == 1
    assert read.text == ""


@pytest.mark.parametrize(
    ("task", "texts"),
    [
        ("tag", "tag;tags please;/tag;what is this?;What’s that;whats this pls;what's in the picture?;describe this"),
        ("tag", "what do you see?;which dog is this?;what breed is that;identify this;can you tag this?;Was ist das?"),
        ("tag", "qu'est-ce que c'est ?;¿qué es esto?;what is this a picture of"),
        ("similar", "similar;similar?;find similar;similar images please;show me more like this;more;more of these"),
        ("similar", "any similar ones?;something like this;others like this;do you have any more like this;find more"),
        (None, "dog;what a dog;this;nice!;similar dogs;more dogs;tag heuer watch"),
    ],
)
def test_task_about_a_picture_is_understood(task: str | None, texts: str) -> None:
    assert {text: image_task(MessageText(text)) for text in texts.split(";")} == dict.fromkeys(texts.split(";"), task)


@pytest.mark.parametrize(
    "text",
    ["ok thanks " * 40 + "zebra", "so nice " * 80 + "!x", "_" * 40_000, " " * 40_000 + "x", "hey " * 900 + "zebra"],
)
def test_long_repetitive_text_is_read_at_once(text: str) -> None:
    # An expression that tries every way to split such a text would not end.
    assert len(read_message(text).text) <= 3000

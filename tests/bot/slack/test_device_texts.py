"""Test texts as they arrive from phones, desktops and mail programs, and as people of many languages write them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.errors import QueryError
from findimg.search.query import LONGEST, parse
from findimg.text.typed.mail import without_letter_frame, without_quoted_mail
from findimg_bot.slack.message_text import read_message
from tests.bot.slack.test_message_text import TODAY, shown

QUERIES = [
    # Smart punctuation of phones
    ("“Zebra”", "Zebra"),
    ("Zebra… please", "Zebra"),
    ("’zebra’", "zebra"),
    ("‘zebra", "zebra"),
    ("zebra’", "zebra"),
    ("zebra’s stripes", "zebra stripes"),
    ("zebra. lion", "zebra lion"),
    ("Zebra — savanna", "Zebra savanna"),
    ("“fire engine” —truck", '"fire engine" -truck'),
    ("“fire engine” “red car”", '"fire engine" "red car"'),
    ("Don’t show lions, zebra", "-lions zebra"),
    ("zebra, don’t include lions", "zebra -lions"),
    ("“zebra” in:“World Cup”", "zebra in=world cup"),
    ("zebra ‘without’ lion", "zebra without lion"),
    ("Zebra?!", "Zebra"),
    ("Zebra ‼️", "Zebra"),
    ("zebra·lion", "zebra lion"),
    ("zebra • lion", "zebra lion"),
    ("zebra (and a lion)", "zebra and a lion"),
    ("iPhone “notes” zebra", "iPhone notes zebra"),
    # Capitals of phones
    ("Zebra ", "Zebra"),
    ("Find Zebra", "Zebra"),
    ("Show Me A Zebra", "A Zebra"),
    ("Please Find Zebra", "Zebra"),
    ("ZEBRA PLEASE", "ZEBRA"),
    ("Zebra In:Cup", "Zebra in=cup"),
    ("In: cup zebra", "zebra in=cup"),
    ("Zebra Not Lion", "Zebra -Lion"),
    ("Zebra Or Lion", "Zebra|Lion"),
    ("Zebra Without Lion", "Zebra -Lion"),
    ("Before:2024-06-01 Zebra", "Zebra before=2024-06-01"),
    ("Zebra Type:Png", "Zebra type=PNG"),
    ("Type: png zebra", "zebra type=PNG"),
    ("Sort: newest in: cup", "in=cup sort=newest"),
    ("Like:s3://b/A.jpg", "like=s3://b/A.jpg"),
    ("CAN YOU FIND A ZEBRA??", "A ZEBRA"),
    # French
    ("« zèbre »", "zèbre"),
    ("« cheval blanc »", '"cheval blanc"'),
    ("«\u202fcheval blanc\u202f»", '"cheval blanc"'),
    ("zèbre ?", "zèbre"),
    ("zèbre\u00a0!", "zèbre"),
    ("zèbre\u202f: savane", "zèbre savane"),
    ("l’éléphant", "l'éléphant"),
    ("zèbre – lion", "zèbre lion"),
    ("Salut, vous avez des photos de zèbres ?", "zèbres"),
    ("Peux-tu me montrer un zèbre stp ?", "un zèbre"),
    ("Bonsoir ! Un zèbre, merci d’avance", "Un zèbre"),
    ("zèbre stp merci", "zèbre"),
    ("Je cherche des photos d’éléphants", "éléphants"),
    ("cheval sans cavalier", "cheval -cavalier"),
    # German
    ("„Zebra“", "Zebra"),
    ("„weißes Pferd“", '"weißes Pferd"'),
    ("‚weißes Pferd‘", '"weißes Pferd"'),
    ("»weißes Pferd«", '"weißes Pferd"'),
    ("„weißes Pferd” –Fohlen", '"weißes Pferd" -Fohlen'),
    ("Könntet ihr mir ein Zebra zeigen?", "ein Zebra"),
    ("Hi, habt ihr Zebras?", "Zebras"),
    ("Zebra, danke schon mal!", "Zebra"),
    ("Zebra, danke im Voraus", "Zebra"),
    ("Moin, Zebra bitte. Danke!", "Zebra"),
    ("Bitte ein Zebra!", "ein Zebra"),
    ("ein Bild mit einem Zebra", "Zebra"),
    ("Wo finde ich Zebras?", "Zebras"),
    ("Hat jemand ein Foto von einem Zebra?", "Zebra"),
    # Japanese, Chinese and Korean
    ("しまうま", "しまうま"),
    ("「しまうま」", "しまうま"),
    ("しまうま　ライオン", "しまうま ライオン"),
    ("しまうま。", "しまうま"),
    ("しまうま、ライオン", "しまうま ライオン"),
    ("しまうま・ライオン", "しまうま ライオン"),
    ("『しまうま』！", "しまうま"),
    ("（しまうま）", "しまうま"),
    ("【しまうま】", "しまうま"),
    ("〈zebra〉《lion》", "zebra lion"),
    ("ｚｅｂｒａ　ｌｉｏｎ", "zebra lion"),
    ("ｚｅｂｒａ　－ｌｉｏｎ", "zebra -lion"),
    ("“ｆｉｒｅ　ｅｎｇｉｎｅ”", '"fire engine"'),
    ("しまうま　ｉｎ：ｃｕｐ", "しまうま in=cup"),
    ("ｚｅｂｒａ？", "zebra"),
    ("しまうまの写真を見せてください", "しまうま"),
    ("しまうまの画像をお願いします", "しまうま"),
    ("猫の写真はありますか？", "猫"),
    ("请给我看斑马的照片", "斑马"),
    ("有没有斑马的图片？", "斑马"),
    ("얼룩말 사진 보여줘", "얼룩말"),
    ("얼룩말 사진 있어요?", "얼룩말"),
    # Bullets and numbers
    ("● zebra\n● lion", "zebra lion"),
    ("○ zebra", "zebra"),
    ("■ zebra", "zebra"),
    ("▪️ zebra", "zebra"),
    ("→ zebra", "zebra"),
    ("➤ zebra", "zebra"),
    ("✔ zebra", "zebra"),
    ("1) zebra\n2) lion", "zebra lion"),
    ("(1) zebra\n(2) lion", "zebra lion"),
    ("(a) zebra\n(b) lion", "zebra lion"),
    ("10. zebra\n11. lion", "zebra lion"),
    ("i. zebra\nii. lion\niii. sofa", "zebra lion sofa"),
    ("A. zebra\nB. lion", "zebra lion"),
    ("- [ ] zebra\n- [x] lion", "zebra lion"),
    ("☐ zebra\n☑ lion", "zebra lion"),
    ("+ zebra\n+ lion", "zebra lion"),
    ("1️⃣ zebra\n2️⃣ lion", "zebra lion"),
    ("— zebra", "zebra"),
    ("1.zebra", "zebra"),
    ("    • zebra\n        ◦ lion", "zebra lion"),
    # Signatures
    ("zebra\n\nBest regards,\nAnna Smith\nDesign Lead", "zebra"),
    ("zebra\n-- \nAnna", "zebra"),
    ("zebra\n—\nAnna", "zebra"),
    ("zebra\n___\nAnna", "zebra"),
    ("zebra\n\nCheers\nTom", "zebra"),
    ("zebra\n\nThanks in advance,\nTom", "zebra"),
    ("zebra\n\nThanks so much!\nTom", "zebra"),
    ("zebra\n\nVG\nJan", "zebra"),
    ("zebra\n\nSent from my Galaxy", "zebra"),
    ("zebra\n\nSent from Mail for Windows", "zebra"),
    ("zebra\n\nSent from Outlook for iOS", "zebra"),
    ("zebra\n\nGet Outlook for Android", "zebra"),
    ("zebra\n\nVon meinem iPhone gesendet", "zebra"),
    ("zebra\n\nGesendet von Mail für Windows", "zebra"),
    ("zebra\n\nEnviado desde mi iPhone", "zebra"),
    ("zebra\n\nInviato da iPhone", "zebra"),
    ("zebra\n\nEnvoyé depuis mon iPhone", "zebra"),
    ("zebra\n\nAll the best\nAnna", "zebra"),
    ("zebra\n\nSincerely yours,\nAnna", "zebra"),
    ("zebra\n\nGrüße aus Berlin\nJan", "zebra"),
    ("zebra\n\nHerzliche Grüße\nJan", "zebra"),
    ("zèbre\n\nBien à vous,\nMarie", "zèbre"),
    ("cebra\n\nUn saludo,\nJuan", "cebra"),
    ("zebra\n\nDistinti saluti\nMario", "zebra"),
    ("zebra\n\nTake care!\nTom", "zebra"),
    # Quoted replies
    ("zebra\n\nOn Mon, Jun 3, 2024 at 10:00 AM Anna &lt;anna@example.com&gt; wrote:\n&gt; please find a lion", "zebra"),
    ("zebra\n\nOn 3 Jun 2024, at 10:00, Anna wrote:\n\n&gt; lion", "zebra"),
    ("zebra\n\nAm 03.06.2024 um 10:00 schrieb Anna:\n&gt; Löwe", "zebra"),
    ("zèbre\n\nLe 3 juin 2024 à 10:00, Anna a écrit :\n&gt; lion", "zèbre"),
    ("zebra\n\n-----Original Message-----\nFrom: Anna\nSent: Monday\nTo: Tom\nSubject: lion\n\nlion please", "zebra"),
    ("zebra\n\n________________________________\nFrom: Anna\nSent: Monday\nTo: Tom\n\nlion", "zebra"),
    ("zebra\n\n-----Ursprüngliche Nachricht-----\nVon: Anna\n\nLöwe", "zebra"),
    ("&gt; which animal\nzebra", "which animal zebra"),
    # Forwarded mail
    ("FW: zebra", "zebra"),
    ("Fwd: Re: zebra", "zebra"),
    ("RE: RE: zebra", "zebra"),
    ("AW: WG: Zebra", "Zebra"),
    ("TR : zèbre", "zèbre"),
    ("RV: cebra", "cebra"),
    ("Subject: zebra", "zebra"),
    ("Betreff: Zebra", "Zebra"),
    (
        "---------- Forwarded message ---------\nFrom: Anna &lt;anna@example.com&gt;\nDate: Mon, 3 Jun 2024 at 10:00\n"
        "Subject: Zebra photo\nTo: Tom &lt;tom@example.com&gt;\n\nPlease find a zebra.",
        "a zebra",
    ),
    ("Begin forwarded message:\n\nFrom: Anna\nSubject: zebra\nDate: 3 June 2024\nTo: Tom\n\nzebra please", "zebra"),
    ("Von: Anna\nGesendet: Montag\nAn: Tom\nBetreff: Zebra\n\nein Zebra bitte", "ein Zebra"),
    ("From: Anna\nTo: Tom\nSubject: a zebra please", "a zebra"),
    # Code
    ("```\nzebra -lion\n```", "zebra -lion"),
    ("`zebra` `lion`", "zebra lion"),
    ("```zebra```\n```lion```", "zebra lion"),
    ("`zebra -lion`", "zebra -lion"),
    ("``zebra``", "zebra"),
    ("`/findimg zebra`", "zebra"),
    ("```/findimg zebra```", "zebra"),
    # People and channels
    ("<@U2ANNA|anna> zebra", "zebra"),
    ("<#C1ABC|> zebra", "zebra"),
    ("<#C1ABC> zebra", "zebra"),
    ("<!channel> zebra", "zebra"),
    ("<!everyone|@everyone> zebra", "zebra"),
    ("<!here|here> zebra", "zebra"),
    ("<@W1ABC> zebra", "zebra"),
    ("<@U1BOT> <@U1BOT> zebra", "zebra"),
    ("Hey <@U2ANNA>, zebra?", "zebra"),
    ("<!subteam^S1ABC> zebra", "zebra"),
    ("@channel zebra", "zebra"),
    ("(cc <@U2ANNA>) zebra", "zebra"),
    ("<@U1BOT>\nzebra", "zebra"),
    ("<@U1BOT> - zebra", "zebra"),
    ("<@U1BOT> &gt; zebra", "zebra"),
    ("<@U1BOT>… zebra", "zebra"),
    # Dates
    ("zebra before:2024—06—01", "zebra before=2024-06-01"),
    ("zebra date:2024-06-01..2024-06-30", "zebra after=2024-06-01 before=2024-07-01"),
    ("zebra date:2024-06-01…2024-06-30", "zebra after=2024-06-01 before=2024-07-01"),
    ("zebra date:2020—2021", "zebra after=2020-01-01 before=2022-01-01"),
    ("zebra date:2020 – 2021", "zebra after=2020-01-01 before=2022-01-01"),
    ("zebra after:2024/06/01", "zebra after=2024-06-01"),
    ("zebra after:2024.06.01", "zebra after=2024-06-01"),
    ("zebra after:1.6.2024", "zebra after=2024-06-01"),
    ("zebra after:“June 2024”", "zebra after=2024-06-01"),
    ("zebra after: 2024-06-01", "zebra after=2024-06-01"),
    ("zebra after:２０２４－０６－０１", "zebra after=2024-06-01"),
    ("zebra date:today", "zebra after=2026-11-26 before=2026-11-27"),
    # Emoji
    ("👋🏿 zebra", "zebra"),
    (":wave::skin-tone-5: zebra", "zebra"),
    (":dog2: :cat2:", "dog cat"),
    ("🦓🦓🦓", "zebra zebra zebra"),
    ("❤️\u200d🔥 zebra", "zebra"),
    ("👩🏻\u200d🌾", "farmer"),
    ("zebra ‼️❓", "zebra"),
    ("zebra :slightly_smiling_face:", "zebra"),
    ("zebra :thumbsup_all:", "zebra"),
    (":zebra_face:", "zebra"),
    # Marks that nobody sees
    ("\u202bzebra\u202c", "zebra"),
    ("\u200f\u202bكلب\u202c", "كلب"),
    ("\u2067zebra\u2069 lion", "zebra lion"),
    ("كلب من فضلك", "كلب"),
    ("כלב, בבקשה", "כלב"),
    ("\u061czebra", "zebra"),
    ("zeb\u200dra", "zebra"),
    ("zebra\u200c", "zebra"),
    ("z\u00adebra", "zebra"),
    ("\u2060zebra\u2060", "zebra"),
    ("zebra\ufe0f", "zebra"),
    ("zebra\u034f", "zebra"),
    ("zebra\u2028lion", "zebra lion"),
    # Several lines
    ("zebra\r\nlion\r\n", "zebra lion"),
    ("\n\nzebra\n\n\nlion", "zebra lion"),
    ("zebra\x0blion", "zebra lion"),
    ("zebra\tlion", "zebra lion"),
    ("Hello\nzebra", "zebra"),
    ("zebra\nplease", "zebra"),
    ("I need:\n- a zebra\n- a lion\nThanks!", "a zebra a lion"),
    ("Looking for the following:\n1. zebra\n2. lion", "zebra lion"),
    ("Request:\nzebra", "zebra"),
    # Numbers and times
    ("room:101", "room 101"),
    ("ISO:3200 zebra", "ISO 3200 zebra"),
    ("zebra:0", "zebra 0"),
    ("zebra:3 lion", "zebra:3 lion"),
    ("zebra 10:30", "zebra 10:30"),
    ("zebra 16:9", "zebra 16:9"),
    ("zebra date:2024", "zebra after=2024-01-01 before=2025-01-01"),
    # Texts that only look like mail, lists or requests
    ("to: zebra", "to zebra"),
    ("from: Anna zebra", "from Anna zebra"),
    ("best\nzebra", "best zebra"),
    ("On the beach a man wrote: hello", "On the beach a man wrote hello"),
    ("A. Lincoln", "A Lincoln"),
    ("3.5 inch floppy", "3.5 inch floppy"),
    ("写真", "写真"),
    ("사진", "사진"),
]


@pytest.mark.parametrize(("text", "query"), QUERIES)
def test_text_of_any_device_becomes_the_query_in_it(text: str, query: str) -> None:
    read = read_message(text)
    assert (read.intent, read.links, read.web_links) == ("query", (), ())
    assert shown(parse(read.text, today=TODAY)) == query


def test_the_table_has_as_many_new_texts_as_the_first() -> None:
    assert len(set(QUERIES)) >= 150


@pytest.mark.parametrize(
    ("text", "address", "words"),
    [
        ("<https://example.com/zebra|Zebra>", "https://example.com/zebra", "Zebra"),
        ("zebra <https://example.com/a|here>", "https://example.com/a", "zebra here"),
        ("<https://example.com/a|https://example.com/a> zebra", "https://example.com/a", "zebra"),
        ("HTTPS://EXAMPLE.COM/A zebra", "HTTPS://EXAMPLE.COM/A", "zebra"),
    ],
)
def test_label_of_a_link_is_part_of_the_text(text: str, address: str, words: str) -> None:
    read = read_message(text)
    assert (read.web_links, read.text) == ((address,), words)


def test_mail_that_was_forwarded_twice_becomes_its_text() -> None:
    headers = "From: Anna\nTo: Tom\nSubject: Fwd: zebra\n\n"
    assert without_quoted_mail(f"{headers}---- Forwarded message ----\n{headers}a zebra").strip() == "a zebra"
    assert without_quoted_mail(headers).strip() == "Fwd: zebra"
    assert without_quoted_mail("On Monday Anna wrote:\n> zebra").strip() == "> zebra"


def test_letter_keeps_its_only_line() -> None:
    assert without_letter_frame(["Best"]) == ["Best"]
    assert without_letter_frame(["Hello", "Best"]) == ["Hello"]
    assert without_letter_frame([]) == []


pieces = [
    *("From: Anna\n", "To: Tom\n", "Subject: zebra\n", "Von: Anna\n", "On Monday Anna wrote:\n", "&gt; ", "\n", "\n\n"),
    *("-----Original Message-----\n", "___\n", "Best,\n", "Thanks,\n", "Sent from my iPhone\n", "Hi,\n", "1. ", "(a) "),
    *(
        "10:00",
        "room:101",
        "ISO:3200",
        "note:x",
        "cat:2",
        "の写真",
        "的照片",
        " 사진 ",
        "\u200f",
        "\u202b",
        "\u200d",
        "\ufe0f",
    ),
    *(
        "« ",
        " »",
        "„",
        "“",
        "—",
        "–",
        "…",
        "before:",
        "2024—06",
        "in:",
        "zebra",
        "<@U1ANNA|anna>",
        "<#C1|>",
        "1️⃣",
        "👩🏽\u200d🚒",
    ),
]


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(pieces) | st.text(max_size=3), max_size=25).map("".join))
def test_no_text_gets_a_message_about_a_position(text: str) -> None:
    read = read_message(text)
    try:
        parse(read.text[:LONGEST], today=TODAY)
    except QueryError as error:
        if re.search(r"(?i)\b(?:character|position|column) \d", str(error)):
            pytest.fail(str(error))

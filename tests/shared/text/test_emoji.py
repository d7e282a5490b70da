import pytest

from findimg.text.emoji import open_emoji
from findimg.text.lexicon import open_lexicon


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (":pizza:", "pizza"),
        ("🍕", "pizza"),
        (":PIZZA:", "pizza"),
        (":dog2: :cat2:", "dog cat"),
        (":lion_face:", "lion"),
        (":hotdog:", "hotdog"),
        (":fire_engine:🚒", "fire engine fire engine"),
        (":evergreen_tree:", "tree"),
        (":umbrella_with_rain_drops:☔☂️", "umbrella umbrella umbrella"),
        (":soccer:", "soccer ball"),
        (":guitar:🎸", "guitar guitar"),
        ("🐕‍🦺", "dog"),
        ("🏃‍♀️", "runner"),
        ("👩🏽‍🌾", "farmer"),
        ("a🍕b", "a pizza b"),
        # No thing
        (":smile:😀", ""),
        (":+1::skin-tone-3: 👍🏿", ""),
        (":tada: 🎉", ""),
        (":heart: ❤️ ❤", ""),
        (":partyparrot: :blob-cat:", ""),
        (":eyes: 👀 :wave: :pray:", ""),
        ("👨‍👩‍👧‍👦", ""),
        ("🇩🇪 🏴󠁧󠁢󠁥󠁮󠁧󠁿 :flag-de:", ""),
        (":mag: 🔍", ""),
        ("1️⃣ :one:", "1"),
        # No emoji
        ("cat:2 sofa:3", "cat:2 sofa:3"),
        ("12:30:45", "12:30:45"),
        ("in:a:b:c", "in:a:b:c"),
        ("café 猫", "café 猫"),
    ],
)
def test_emoji_are_replaced_by_nouns(text: str, words: str) -> None:
    assert open_emoji().replace(text).split() == words.split()


def test_every_noun_of_the_table_is_in_the_lexicon() -> None:
    table = open_emoji()
    assert len(table.by_characters) > 700
    assert [
        noun for noun in {*table.by_name.values(), *table.by_characters.values()} if not open_lexicon().senses(noun)
    ] == []

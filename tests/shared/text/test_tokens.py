import pytest

from findimg.text.tokens import fold_words, tokenise, words_of_name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Status: ERROR 500 — retry!", "status error 500 retry"),
        ("Café Łódź naïve İstanbul", "cafe lodz naive istanbul"),
        ("Straße", "strasse"),
        ("1,234.56 EUR", "1 234 56 eur"),
        ("don't", "don t"),
        ("错误 500", "错 误 500"),
        ("ﾊﾟﾘ カフェ", "パ り 力 フ ェ"),
        ("メモリー 入口 ロ", "メ モ り 一 入 口 口"),
        ("사진을", "사 진 을"),
        ("हिन्दी पाठ", "हिन्दी पाठ"),
        ("Йога ΩΜΈΓΑΣ", "йога ωμεγασ"),
        ("", ""),
    ],
)
def test_text_is_split_into_folded_words(text: str, words: str) -> None:
    assert fold_words(text) == words.split()


def test_tokens_say_where_their_words_are() -> None:
    text = "Ein Café, 东京!"
    assert [(token.text, text[token.start : token.end]) for token in tokenise(text)] == [
        ("ein", "Ein"),
        ("cafe", "Café"),
        ("东", "东"),
        ("京", "京"),
    ]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("trips/MyHoliday_beach01.jpg", "trips my holiday beach 01 myholiday beach01"),
        ("IMG_20240601_101112.jpg", "img 20240601 101112"),
        ("iPhone15.HEIC", "i phone 15 iphone iphone15"),
        ("acme-invoice.2024.png", "acme invoice 2024"),
        ("HTMLReport.png", "html report htmlreport"),
        ("МойОтпуск.jpeg", "мои отпуск моиотпуск"),
        ("3f2a9bed7c4e5d6fa1b2c3d4/550e8400-e29b-41d4-a716-446655440000.jpg", ""),
    ],
)
def test_names_are_split_at_case_changes_digits_and_punctuation(path: str, words: str) -> None:
    assert " ".join(fold_words(words_of_name(path))).replace("й", "и") == words

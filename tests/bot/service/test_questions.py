import pytest

from findimg_bot.service.questions import filters_beside_image


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("in:pizza", "in:pizza"),
        ("type:png after:2024-01-01", "type:png after:2024-01-01"),
        ("look at this!", ""),
        ("in:pizza please", "in:pizza please"),
        ("", ""),
        ("class:", ""),
    ],
)
def test_only_filters_count_beside_an_image(text: str, filters: str) -> None:
    assert filters_beside_image(text) == filters

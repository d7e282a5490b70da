from pathlib import Path

import pytest

from findimg.errors import SettingsError
from findimg_jobs.listing.source_arguments import join_words, read_source_list, split_sources


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{0}/Team Photos", ["{0}/Team Photos"]),
        ("{0}/a {0}/b", ["{0}/a", "{0}/b"]),
        ("'{0}/Team Photos' {0}/a", ["{0}/Team Photos", "{0}/a"]),
        ('"{0}/Team Photos"', ["{0}/Team Photos"]),
        ("{0}/Team Photos\n{0}/a\n", ["{0}/Team Photos", "{0}/a"]),
        ("{0}/Anna's", ["{0}/Anna's"]),
        ("{0}/Team Photos {0}/a", ["{0}/Team Photos", "{0}/a"]),
        ("s3://b/Team Photos", ["s3://b/Team Photos"]),
        ("s3://b/x s3://b/y", ["s3://b/x", "s3://b/y"]),
        ("'s3://b/Team Photos' s3://b/y", ["s3://b/Team Photos", "s3://b/y"]),
        ("", []),
    ],
)
def test_one_text_can_name_several_sources(tmp_path: Path, text: str, expected: list[str]) -> None:
    for name in ("Team Photos", "a", "b", "Anna's"):
        (tmp_path / name).mkdir()
    assert split_sources(text.format(tmp_path)) == [source.format(tmp_path) for source in expected]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["{0}/Team", "Photos"], ["{0}/Team Photos"]),
        (['"{0}/Team', 'Photos"'], ["{0}/Team Photos"]),
        (["{0}/a", "'{0}/Team", "Photos'", "s3://b/x"], ["{0}/a", "{0}/Team Photos", "s3://b/x"]),
        (["{0}/missing", "{0}/a"], ["{0}/missing", "{0}/a"]),
        (["{0}/missing", "s3://b/x"], ["{0}/missing", "s3://b/x"]),
        (["{0}/Team Photos", "{0}/b"], ["{0}/Team Photos", "{0}/b"]),
        (["", "x"], ["", "x"]),
        ([], []),
    ],
)
def test_name_that_a_shell_split_is_joined(tmp_path: Path, words: list[str], expected: list[str]) -> None:
    for name in ("Team Photos", "a", "b"):
        (tmp_path / name).mkdir()
    assert join_words([word.format(tmp_path) for word in words]) == [source.format(tmp_path) for source in expected]


def test_source_list_has_one_source_a_line(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"/photos/a b.jpg\r\n\n#1.jpg\ns3://b/k.jpg")
    assert read_source_list(str(path)) == ["/photos/a b.jpg", "#1.jpg", "s3://b/k.jpg"]
    path.write_bytes(b"\n \n")
    with pytest.raises(SettingsError, match="is empty"):
        read_source_list(str(path))
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_source_list(str(tmp_path / "missing"))

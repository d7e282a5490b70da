import os
from pathlib import Path

import pytest
from platformdirs import user_cache_path
from pydantic import ValidationError

from findimg.errors import SettingsError
from findimg.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working directory, without any FINDIMG_* variable."""
    for name in [name for name in os.environ if name.startswith("FINDIMG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_flag_overrides_variable_overrides_file_overrides_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().shard_size == 256
    (folder / "findimg.toml").write_text('shard_size = 1\nlibrary = "from the file"\nhead = "from the file"\n')
    monkeypatch.setenv("FINDIMG_SHARD_SIZE", "2")
    monkeypatch.setenv("FINDIMG_LIBRARY", "from the variable")
    settings = load_settings(shard_size=3, library=None)
    assert (settings.shard_size, settings.library, settings.head) == (3, "from the variable", "from the file")
    assert settings.engine == "ray"


def test_every_setting_has_a_variable_and_a_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = dict.fromkeys(Settings.model_fields, "x") | {"engine": "local", "shard_size": "7", "partition_size": "8"}
    values["learn"] = "clicks"
    values["read_text"] = "likely"
    values["live_indexing"] = "on"
    values |= {name: "https://example.com/x/" for name in values if name.endswith("_url")}
    (folder / "findimg.toml").write_text("".join(f"{name} = {value!r}\n" for name, value in values.items()))
    from_file = load_settings()
    (folder / "findimg.toml").unlink()
    for name, value in values.items():
        monkeypatch.setenv(f"FINDIMG_{name.upper()}", value)
    assert load_settings() == from_file == load_settings(**values)


def test_empty_variable_counts_as_unset(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "findimg.toml").write_text('library = "from the file"')
    for name in ("FINDIMG_LIBRARY", "FINDIMG_CACHE", "FINDIMG_ENGINE"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert (settings.library, settings.cache, settings.engine) == ("from the file", user_cache_path("findimg"), "ray")


def test_cache_path_may_start_with_a_tilde(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert load_settings(cache=Path("~/c")).cache == folder / "c"


def test_settings_are_immutable() -> None:
    with pytest.raises(ValidationError):
        load_settings().library = "other"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('libary = "x"', r"^findimg\.toml has an unknown key 'libary'\. The known keys are library, backbone, .*\.$"),
        ("library = []]", r"^findimg\.toml cannot be read: .*line 1.*\. Fix or remove it\.$"),
        ("library = '\udcff'", r"^findimg\.toml cannot be read: .*utf-8.*\. Fix or remove it\.$"),
        ("library = 3", r"^Setting library \(--library, FINDIMG_LIBRARY or findimg\.toml\) .*string\. Received: 3\.$"),
        ("engine = 'spark'", r"^Setting engine .* 'ray' or 'local'\. Received: 'spark'\.$"),
        ("shard_size = 0", r"^Setting shard_size \(--shard-size, FINDIMG_SHARD_SIZE .* equal to 1\. Received: 0\.$"),
    ],
)
def test_invalid_file_gives_a_one_sentence_error(folder: Path, content: str, sentence: str) -> None:
    (folder / "findimg.toml").write_text(content, errors="surrogateescape")
    with pytest.raises(SettingsError, match=sentence):
        load_settings()


@pytest.mark.parametrize("value", ["many", "1001", "1.5"])
def test_invalid_variable_is_an_error_with_its_value(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FINDIMG_SHARD_SIZE", value)
    with pytest.raises(SettingsError, match=rf"^Setting shard_size .* is not valid: .*\. Received: '{value}'\.$"):
        load_settings()


@pytest.mark.parametrize("url", ["http://example.com/", "ftp://example.com", "example.com", "https://", "//x"])
def test_address_must_be_https_or_this_machine(url: str) -> None:
    with pytest.raises(SettingsError, match=r"FINDIMG_IMAGE_BASE_URL.*must begin with https://"):
        load_settings(image_base_url=url)
    assert load_settings(image_base_url="http://127.0.0.1:9/x").image_base_url == "http://127.0.0.1:9/x/"


def test_secrets_are_never_printed(folder: Path) -> None:
    (folder / "findimg.toml").write_text('slack_bot_token = "xoxb-1"\n')
    assert "xoxb" not in repr(load_settings())
    (folder / "findimg.toml").write_text('slack_bot_token = ["xoxb-1"]\n')
    with pytest.raises(SettingsError, match="slack_bot_token") as caught:
        load_settings()
    assert "xoxb" not in str(caught.value)
    assert "--slack-bot-token" not in str(caught.value)


def test_allow_lists_are_separated_by_commas_or_spaces() -> None:
    settings = load_settings(allow_channels="C1, C2 C3", allow_users="")
    assert settings.allowed_channels == {"C1", "C2", "C3"}
    assert settings.allowed_users == frozenset()

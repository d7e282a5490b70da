"""Settings: a flag, else a FINDIMG_* variable, else a key of ./findimg.toml, else the default."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_cache_path, user_state_path
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from findimg.errors import SettingsError

_Path = Annotated[Path, AfterValidator(lambda path: Path(os.path.expanduser(path)))]
_NAMES = re.compile(r"[^\s,]+")


def _address(url: str) -> str:
    """An address ends in a slash, so that what follows can be appended."""
    parts = urlsplit(url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if url and not (parts.netloc and (parts.scheme == "https" or (parts.scheme == "http" and local))):
        raise ValueError("it must begin with https://, or with http:// for this machine")
    return url if not url or url.endswith("/") else f"{url}/"


_Address = Annotated[str, AfterValidator(_address)]


class Settings(BaseSettings):
    """What an operator can set; each field is a flag `--like-this`, a variable FINDIMG_LIKE_THIS and a TOML key."""

    model_config = SettingsConfigDict(
        env_prefix="FINDIMG_",
        env_ignore_empty=True,  # a compose file passes what is not set as ""
        toml_file="findimg.toml",
        extra="forbid",
        frozen=True,
    )

    library: str = Field(default="", description="Folder or s3:// prefix that holds one collection's library.")
    backbone: str = Field(
        default="", description="The CNN that embeds pixels; else the library's, else efficientnet-lite0."
    )
    weights: str = Field(
        default="", description="File or s3:// URI with the backbone's weights; else cache, else download."
    )
    words: str = Field(default="", description="The word vectors; else the library's, else glove.6B.50d.")
    head: str = Field(
        default="", description="The map from an image to the word space; else the library's, else conse."
    )
    visual_dim: str = Field("", description="Dimensions of the visual index, or full; else the library's, else 128.")
    engine: Literal["ray", "local"] = Field(default="ray", description="Where images are embedded.")
    ray_address: str = Field(default="", description="A running Ray cluster to join; else Ray starts on this machine.")
    shard_size: int = Field(
        default=256, ge=1, le=1000, description="Images in a shard, the unit of work and of commit."
    )
    partition_size: int = Field(
        default=1_000_000, ge=1, description="Items in one partition of an index, which a worker builds alone."
    )
    cache: _Path = Field(
        default_factory=lambda: user_cache_path("findimg"),
        description="Folder for models, and for versions of libraries that lie in S3.",
    )
    state: _Path = Field(
        default_factory=lambda: user_state_path("findimg") / "bot.sqlite",
        description="SQLite file in which the bot keeps queries, thumbnails' ids and installations.",
    )
    image_base_url: _Address = Field(
        default="", description="Where people can open the images: this address and the path below the source."
    )
    thumbnail_base_url: _Address = Field(
        default="", description="Where Slack can fetch the library's thumbnails/; else they are uploaded to Slack."
    )
    allow_channels: str = Field(default="", description="Ids of the channels the bot answers in; else all.")
    allow_users: str = Field(default="", description="Ids of the people the bot answers; else all.")
    slack_api_url: _Address = Field(default="https://slack.com/api/", description="Slack's Web API.")
    slack_client_id: str = Field(default="", description="Of the app, to be installed in many workspaces.")
    slack_bot_token: SecretStr = Field(default=SecretStr(""), description="xoxb-…, of one workspace.")
    slack_app_token: SecretStr = Field(default=SecretStr(""), description="xapp-…, for Socket Mode.")
    slack_signing_secret: SecretStr = Field(default=SecretStr(""), description="Of the app, for --http.")
    slack_client_secret: SecretStr = Field(default=SecretStr(""), description="Of the app, beside its client id.")
    slack_token_key: SecretStr = Field(
        default=SecretStr(""), description="Key that installed workspaces' tokens are encrypted with (Fernet)."
    )

    report_channel: str = Field(
        default="", description="Slack channel that is told how runs of index end; needs the bot's token."
    )

    @property
    def channels(self) -> frozenset[str]:
        """The channels of `allow_channels`."""
        return frozenset(_NAMES.findall(self.allow_channels))

    @property
    def users(self) -> frozenset[str]:
        """The people of `allow_users`."""
        return frozenset(_NAMES.findall(self.allow_users))

    @classmethod
    def is_secret(cls, name: str) -> bool:
        """Whether a field is a secret, which has no flag: flags can be read by everybody on the machine."""
        return cls.model_fields[name].annotation is SecretStr

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**flags: Any) -> Settings:
    """Reads the settings.

    Args:
        flags: values by field name, as given on the command line; None was not given.

    Raises:
        SettingsError: a value cannot be used, or findimg.toml has an unknown key or is no TOML.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            known = ", ".join(Settings.model_fields)
            raise SettingsError(f"findimg.toml has an unknown key {name!r}; the known ones are {known}.") from error
        secret = Settings.is_secret(name)
        flag = "" if secret else f"--{name.replace('_', '-')}, "
        received = "" if secret else f" Received: {first['input']!r}."
        raise SettingsError(
            f"Setting {name} ({flag}FINDIMG_{name.upper()} or findimg.toml) cannot be used: {first['msg']}.{received}"
        ) from (None if secret else error)
    except (ValueError, OSError) as error:
        raise SettingsError(f"findimg.toml cannot be read: {error}. Mend or remove it.") from error

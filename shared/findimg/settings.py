"""The settings. Each one comes from a flag, else a FINDIMG_* variable, else ./findimg.toml, else its default.

A new setting is a field of `Settings` and a row in the table of README.md. A command has a flag for it only if it names
the setting in `takes_settings`. For the bot, add the name to `_BOT_SETTINGS` in `bot/findimg_bot/cli.py`. For a command
of `findimg-jobs`, add it to `takes_settings` in `jobs/findimg_jobs/cli/commands/`.
"""

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
    """Return a checked address that ends in a slash, so that a path can be appended."""
    parts = urlsplit(url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if url and not (parts.netloc and (parts.scheme == "https" or (parts.scheme == "http" and local))):
        raise ValueError("it must begin with https://, or with http:// for this machine")
    return url if not url or url.endswith("/") else f"{url}/"


_Address = Annotated[str, AfterValidator(_address)]


def _default_cache() -> Path:
    try:
        return user_cache_path("findimg")
    except RuntimeError as error:
        # In a container a user may have neither a name nor a home.
        raise SettingsError("This user has no home folder. Set HOME, FINDIMG_CACHE or --cache.") from error


def _default_state() -> str:
    try:
        return str(user_state_path("findimg") / "bot.sqlite")
    except RuntimeError:
        return "findimg-bot.sqlite"  # only the bot needs it, and its doctor names the file


class Settings(BaseSettings):
    """All settings. The field `shard_size` is the flag `--shard-size`, FINDIMG_SHARD_SIZE and the TOML key."""

    model_config = SettingsConfigDict(
        env_prefix="FINDIMG_",
        env_ignore_empty=True,  # a compose file passes unset variables as ""
        toml_file="findimg.toml",
        extra="forbid",
        frozen=True,
    )

    # Of the library, for findimg-jobs. The bot also uses library, weights, words, read_text, text_scripts and cache.
    library: str = Field(default="", description="The library: a folder, or an address such as s3://bucket/prefix.")
    backbone: str = Field(default="", description="Image encoder. Default: the library's, else efficientnet-lite0.")
    weights: str = Field(
        default="", description="The backbone's weights: a file or its address. Default: the cache, else a download."
    )
    words: str = Field(default="", description="Word vectors. Default: the library's, else glove.6B.50d.")
    head: str = Field(
        default="", description="Model that maps images into the space of words. Default: the library's, else conse."
    )
    visual_dim: str = Field("", description="Dimensions of the visual index or full. Default: the library's, else 128.")
    engine: Literal["ray", "local"] = Field(default="ray", description="Embed images on Ray or in this process.")
    ray_address: str = Field(default="", description="Running Ray cluster to join. Default: start Ray on this machine.")
    shard_size: int = Field(default=256, ge=1, le=1000, description="Images per shard, the unit of work and of commit.")
    partition_size: int = Field(
        default=1_000_000, ge=1, description="Maximum images of a segment. One worker builds one segment."
    )
    read_text: Literal["off", "likely", "all"] = Field(
        default="off",
        description="Read the text in images: off, likely (where a first look finds some) or all. Needs the extra ocr.",
    )
    text_scripts: str = Field(
        default="",
        description="Further scripts in which text is read, such as cyrillic,greek. Each one is a model of "
        "models list. Default: only Latin, Chinese and Japanese.",
    )
    cache: _Path = Field(
        default_factory=_default_cache,
        description="Folder for models and for copies of libraries in S3.",
    )
    # Of the bot. findimg-jobs also uses index_channels, slack_api_url and slack_bot_token.
    state: str = Field(
        default_factory=_default_state,
        description="Database for the bot's stored queries, thumbnail ids and installations: a SQLite file or "
        "postgresql://USER@HOST/DATABASE.",
    )
    image_base_url: _Address = Field(
        default="", description="Address at which people can open images. The path below the source is appended."
    )
    thumbnail_base_url: _Address = Field(
        default="", description="Address of the library's thumbnails/ for Slack. Default: upload thumbnails to Slack."
    )
    allow_channels: str = Field(default="", description="Ids of the channels in which the bot answers. Default: all.")
    allow_users: str = Field(default="", description="Ids of the people whom the bot answers. Default: all.")
    allow_teams: str = Field(
        default="",
        description="Ids of the workspaces that may install findimg, and of other organisations whose people the bot "
        "answers in shared channels; * allows all. Default: only the workspace of the bot token.",
    )
    teachers: str = Field(
        default="", description="Ids of the people who may teach names. Default: everybody of the workspace."
    )
    learn: Literal["nothing", "clicks"] = Field(
        default="nothing", description="With clicks, used images count as weak examples of a taught name."
    )
    index_channels: str = Field(
        default="", description="Ids of the Slack channels to index. Default: all channels with the bot."
    )
    live_indexing: Literal["off", "on"] = Field(
        default="off", description="With on, the bot adds and removes pictures of Slack channels within seconds."
    )
    slack_api_url: _Address = Field(default="https://slack.com/api/", description="Address of Slack's Web API.")
    slack_client_id: str = Field(default="", description="Client id of an app for many workspaces.")
    slack_surfaces: str = Field(
        default="",
        description="Optional surfaces in the app's manifest, whose scopes it needs: shortcut, assistant, unfurl, "
        "workflow_step, search, channels, live.",
    )
    slack_bot_token: SecretStr = Field(default=SecretStr(""), description="Bot token of one workspace, xoxb-…")
    slack_app_token: SecretStr = Field(default=SecretStr(""), description="App token for Socket Mode, xapp-…")
    slack_signing_secret: SecretStr = Field(default=SecretStr(""), description="Signing secret of the app, for --http.")
    slack_client_secret: SecretStr = Field(default=SecretStr(""), description="Client secret of the app.")
    slack_token_key: SecretStr = Field(
        default=SecretStr(""), description="Fernet key that encrypts the tokens of installed workspaces."
    )

    # Of findimg-jobs alone
    report_channel: str = Field(
        default="", description="Slack channel for the result of index runs. Needs the bot token."
    )

    @property
    def allowed_channels(self) -> frozenset[str]:
        """Return the ids in `allow_channels`."""
        return frozenset(_NAMES.findall(self.allow_channels))

    @property
    def allowed_users(self) -> frozenset[str]:
        """Return the ids in `allow_users`."""
        return frozenset(_NAMES.findall(self.allow_users))

    @property
    def allowed_teams(self) -> frozenset[str]:
        """Return the ids in `allow_teams`."""
        return frozenset(_NAMES.findall(self.allow_teams))

    @property
    def scripts(self) -> tuple[str, ...]:
        """Return the names in `text_scripts`, in alphabetical order."""
        return tuple(sorted({name.lower() for name in _NAMES.findall(self.text_scripts)}))

    @property
    def indexed_channels(self) -> frozenset[str]:
        """Return the ids in `index_channels`."""
        return frozenset(_NAMES.findall(self.index_channels))

    @property
    def teacher_ids(self) -> frozenset[str]:
        """Return the ids in `teachers`, each `<user>` or `<team>/<user>`."""
        return frozenset(_NAMES.findall(self.teachers))

    @classmethod
    def is_secret(cls, name: str) -> bool:
        """Return whether a field is a secret. Secrets have no flag, because every user of a machine can read flags."""
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
    """Return the settings.

    Args:
        flags: values from the command line by field name. None stands for a flag that was not given.

    Raises:
        SettingsError: a value is not valid, or findimg.toml has an unknown key or is not valid TOML.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            known = ", ".join(Settings.model_fields)
            raise SettingsError(f"findimg.toml has an unknown key {name!r}. The known keys are {known}.") from error
        secret = Settings.is_secret(name)
        flag = "" if secret else f"--{name.replace('_', '-')}, "
        received = "" if secret else f" Received: {first['input']!r}."
        raise SettingsError(
            f"Setting {name} ({flag}FINDIMG_{name.upper()} or findimg.toml) is not valid: {first['msg']}.{received}"
        ) from (None if secret else error)
    except (ValueError, OSError) as error:
        raise SettingsError(f"findimg.toml cannot be read: {error}. Fix or remove it.") from error

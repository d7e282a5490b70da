"""Settings: a flag, else a FINDIMG_* variable, else a key of ./findimg.toml, else the default."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_cache_path
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from shared.errors import SettingsError


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
    cache: Annotated[Path, AfterValidator(lambda path: Path(os.path.expanduser(path)))] = Field(
        default_factory=lambda: user_cache_path("findimg"),
        description="Folder for models, and for versions of libraries that lie in S3.",
    )

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
        raise SettingsError(
            f"Setting {name} (--{name.replace('_', '-')}, FINDIMG_{name.upper()} or findimg.toml) "
            f"cannot be used: {first['msg']}. Received: {first['input']!r}."
        ) from error
    except (ValueError, OSError) as error:
        raise SettingsError(f"findimg.toml cannot be read: {error}. Mend or remove it.") from error

"""Settings: a flag, else a FINDIMG_* variable, else a key of `findimg.toml` in the working directory, else the default."""

from pathlib import Path
from typing import Any, Literal

from platformdirs import user_cache_path
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from shared.errors import SettingsError


class Settings(BaseSettings):
    """What an operator can set; each field is a flag `--like-this`, a variable FINDIMG_LIKE_THIS and a TOML key."""

    model_config = SettingsConfigDict(env_prefix="FINDIMG_", toml_file="findimg.toml", extra="forbid", frozen=True)

    library: str = Field("", description="Folder or s3:// prefix that holds one collection's library.")
    backbone: str = Field("", description="The CNN that embeds pixels; else the library's, else efficientnet-lite0.")
    weights: str = Field("", description="File or s3:// URI with the backbone's weights; else cache, else download.")
    words: str = Field("", description="The word vectors; else the library's, else glove.6B.50d.")
    head: str = Field("", description="The map from an image to the word space; else the library's, else conse.")
    engine: Literal["ray", "local"] = Field("ray", description="Where images are embedded.")
    ray_address: str = Field("", description="A running Ray cluster to join; else Ray starts on this machine.")
    shard_size: int = Field(256, ge=1, le=1000, description="Images in a shard, the unit of work and of commit.")
    cache: Path = Field(
        default_factory=lambda: user_cache_path("findimg"),
        description="Folder for models, and for versions of libraries that lie in S3.",
    )

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **others: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, others["env_settings"], TomlConfigSettingsSource(settings_cls)


def load_settings(**flags: Any) -> Settings:
    """Reads the settings; a flag that is None was not given.

    Raises:
        SettingsError: a value cannot be used, or findimg.toml has an unknown key or is no TOML.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise SettingsError(
            f"Setting {name} (--{name.replace('_', '-')}, FINDIMG_{name.upper()} or findimg.toml) "
            f"cannot be used: {first['msg']}. Received: {first['input']!r}."
        ) from error
    except ValueError as error:
        raise SettingsError(f"findimg.toml cannot be read: {error}.") from error

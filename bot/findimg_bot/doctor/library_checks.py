"""Checks of the state, the library and what reads it."""

import asyncio
from datetime import UTC, datetime, timedelta

from findimg.encoders.registry import fingerprint
from findimg.library.carried_encoder import carries_encoder, used_parts
from findimg.models.store import ModelStore
from findimg_bot.doctor.setup import ProblemError, Setup
from findimg_bot.state.store import Store

_STALE = timedelta(days=3)


async def check_state(setup: Setup) -> str:
    """Check that the bot's state can be written."""

    def check() -> str:
        store = Store(setup.settings.state)
        try:
            store.check()
        finally:
            store.close()
        return f"{store.database.name} is writable."

    return await asyncio.to_thread(check)


async def check_library(setup: Setup) -> str:
    """Check that the library has a version that is not old."""

    def check() -> str:
        uri = setup.served_library.library.uri
        with setup.served_library.lend_everything() as searcher:
            manifest = searcher.manifest
        age = datetime.now(UTC) - datetime.fromisoformat(manifest.created)
        if age > _STALE:
            raise ProblemError(
                f"The live version of {uri} is {age.days} days old. Check the last report in runs/ and the schedule of "
                "findimg-jobs index."
            )
        return f"{manifest.images:,} images in {uri}, version {manifest.version}."

    return await asyncio.to_thread(check)


async def check_words(setup: Setup) -> str:
    """Check that there are word vectors."""
    opened = await asyncio.to_thread(setup.served_library.words)
    return f"{opened.name} with {len(opened):,} words."


async def check_encoder(setup: Setup) -> str:
    """Check that uploaded images are encoded with the weights with which the library was made."""

    def check() -> str:
        settings = setup.settings
        with setup.served_library.lend_everything() as searcher:
            manifest = searcher.manifest
        found = []
        for number, part in enumerate(used_parts(manifest)):
            weights = "" if number else settings.weights  # they belong to the encoder that finds images by image
            here = part.fingerprint
            if weights or not carries_encoder(part):
                here = fingerprint(part.backbone, ModelStore(settings.cache / "models"), weights or None)
            if here != part.fingerprint:
                raise ProblemError(
                    f"The library was made with {part.backbone} {part.fingerprint}, but the weights here are "
                    f"{here}. Set the same --weights as for findimg-jobs index."
                )
            found.append(f"{part.backbone} {here}" + (", from the library" if carries_encoder(part) else ""))
        if not settings.weights:
            setup.served_library.warm_encoder()
        return f"{' and '.join(found)}."

    return await asyncio.to_thread(check)

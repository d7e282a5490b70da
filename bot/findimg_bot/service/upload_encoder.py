"""Computes the features of images that people upload to Slack."""

from slack_sdk.web.async_client import AsyncWebClient

from findimg.search.image_features import ImageFeatures
from findimg_bot.served_library import ServedLibrary
from findimg_bot.service.bounded_executor import BoundedExecutor
from findimg_bot.slack.pictures.download import download
from findimg_bot.slack.pictures.image_files import SlackFile


class UploadEncoder:
    """Downloads images from Slack, and runs the library's encoder on them in a thread of its own."""

    def __init__(self, served_library: ServedLibrary, pool: BoundedExecutor):
        """Args:
        pool: runs the encoder.
        """
        self._served_library = served_library
        self._pool = pool

    async def features(self, client: AsyncWebClient, file: SlackFile) -> ImageFeatures:
        """Return the features of an image in Slack.

        Raises:
            FindimgError: it cannot be downloaded or decoded, or too many images are waiting.
        """
        data = await download(client, file)
        return await self._pool.run(lambda: self._served_library.embed(data))

    async def warm(self) -> None:
        """Open the encoder, so that the first image does not wait for it.

        Raises:
            FindimgError: the encoder cannot be opened.
        """
        await self._pool.run(self._served_library.warm_encoder)

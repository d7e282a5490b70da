"""One page of results, with the thumbnails of its hits. `results_message.py` shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from findimg.library.manifest import Manifest
from findimg.search.answers.results import Hit
from findimg_bot.question_results import ImageResults
from findimg_bot.slack.blocks.elements import Block
from findimg_bot.slack.blocks.message import Message


@dataclass(frozen=True, slots=True)
class HitThumbnails:
    """Where Slack finds the pictures of a page's hits."""

    sources: Mapping[str, Block] = field(default_factory=dict)  # SHA-256 → {"image_url"} or {"slack_file"}
    sheet: Block | None = None  # one picture of all hits: the grid, or where some hits have no picture of their own
    note: str = ""  # why some pictures are missing
    fresh: bool = False  # whether some were uploaded just now


@dataclass(frozen=True, slots=True)
class HitDetails:
    """One hit, with what a message says about it."""

    hit: Hit
    folder: str  # below the source, empty at its top
    tags: tuple[str, ...]  # best first
    link: str = ""  # where the image can be opened
    on_request: bool = False  # whether a link can be made when somebody asks for it
    copies: int = 0  # images with equal bytes, folded behind it
    near_duplicates: int = 0  # images that look nearly the same, folded behind it
    has_text: bool = False  # whether text was read in it


@dataclass(frozen=True, slots=True)
class ResultsPage:
    """One page of hits, all from one version of the library."""

    results: ImageResults
    details: Sequence[HitDetails]  # of the hits of `results`, in their order
    manifest: Manifest
    title: str  # what was asked for, in mrkdwn
    skip: int = 0  # number of hits on earlier pages
    by_similarity: bool = False  # whether the scores are similarities of images, not relevance to words
    grid: bool = False  # whether the person asked for a contact sheet
    teaches: bool = True  # whether the reader may teach names


class ResultsMessageBuilder(Protocol):
    """A function such as `results_message`: it builds the message that shows a results page."""

    def __call__(
        self, page: ResultsPage, pictures: HitThumbnails, question_id: str, *, private: bool, cards: bool
    ) -> Message:
        """Return the message. For the arguments, see `results_message`."""

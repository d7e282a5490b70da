"""The Home tab."""

from collections.abc import Sequence

from findimg.library.carried_encoder import used_parts
from findimg.library.manifest import Manifest
from findimg_bot.slack.blocks.elements import Block, actions, button, divider, header, section, small_text
from findimg_bot.slack.blocks.guidance import HELP
from findimg_bot.slack.blocks.modals.choose_image import CHOOSE_FOR_SIMILAR, CHOOSE_TO_TAG
from findimg_bot.slack.blocks.text import entities, escaped, local_date
from findimg_bot.slack.limits import SECTION_TEXT, check_view


def home_tab(manifest: Manifest | None, problem: str = "", taught: Sequence[Block] = ()) -> Block:
    """Return the Home tab: the number of images, the time of indexing, and how to search.

    Args:
        manifest: of the live version; None when there is none.
        problem: why nothing can be searched, where there is no version.
        taught: what the team taught.
    """
    blocks: list[Block] = [header("Find the team's pictures")]
    if manifest:
        failed = f" {manifest.failed:,} could not be read." if manifest.failed else ""
        blocks.append(
            section(f"*{manifest.images:,} images* are indexed, as of {local_date(manifest.created)}.{failed}")
        )
        sources = ", ".join(escaped(source) for source in manifest.sources[:10])
        encoders = escaped(" and ".join(part.backbone for part in used_parts(manifest)))
        blocks.append(small_text(f"From {sources} · {encoders} · {escaped(manifest.words)}"))
    else:
        blocks.append(section(f":warning: {escaped(problem, SECTION_TEXT // 4)}"))
    if taught:
        blocks += [divider(), *taught]
    for text in HELP.values():
        blocks += [divider(), section(entities(text))]
    blocks += [
        divider(),
        section(
            "You can also write here, or mention @findimg in a thread. Words start a search. An image gets its tags "
            "and similar images."
        ),
        actions(
            [
                button("Tag an image", CHOOSE_TO_TAG, "/tag"),
                button("Find similar images", CHOOSE_FOR_SIMILAR, "/similar"),
            ]
        ),
    ]
    view = {"type": "home", "blocks": blocks}
    check_view(view)
    return view

"""Messages about the words for an image, and about related words."""

from findimg_bot.question_results import TagResults, WordResults
from findimg_bot.slack.blocks.elements import Block, actions, button, image, section
from findimg_bot.slack.blocks.image_text import text_blocks
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.modals.choose_image import CHOOSE_TO_TAG
from findimg_bot.slack.blocks.text import escaped, notification_text, plain
from findimg_bot.slack.limits import ALT_TEXT

FIND_SIMILAR = "find_similar"  # action_id
_BAR = 5  # marks that a score of 1 fills


def tags_blocks(results: TagResults, name: str, source: Block | None, question_id: str | None) -> list[Block]:
    """Return the blocks that list an image's tags.

    Args:
        name: the image's file name.
        source: where Slack finds the image, `{"slack_file": …}` or `{"image_url": …}`; None shows no image.
        question_id: id of the stored question, for a button that finds similar images; None leaves it out.
    """
    blocks: list[Block] = []
    words = ", ".join(tag.word for tag in results.tags[:5])
    if source:
        blocks.append(image(source, plain(f"{plain(name)}: {words or 'no tags'}", ALT_TEXT)))
    lines = [f"{_bar(tag.score)} *{escaped(tag.word)}* {tag.score:.2f}" for tag in results.tags]
    title = f"Tags of *{escaped(name)}*:" if lines else f"No known word describes *{escaped(name)}*."
    blocks.append(section("\n".join([title, *lines])))
    blocks += text_blocks(results.text)
    if question_id:
        blocks.append(
            actions(
                [
                    button("Find similar", FIND_SIMILAR, question_id, "primary"),
                    button("Another image…", CHOOSE_TO_TAG, "/tag"),
                ]
            )
        )
    return blocks


def tags_message(results: TagResults, name: str, source: Block | None, question_id: str) -> Message:
    """Return the answer to `/tag`. Arguments as of `tags_blocks`."""
    words = ", ".join(tag.word for tag in results.tags) or "no known word"
    return Message(notification_text(f"Tags of {name}: {words}"), tags_blocks(results, name, source, question_id))


def words_message(results: WordResults, word: str) -> Message:
    """Return the answer to `/words`."""
    lines = [f"{_bar(1 - distance / 2)} *{escaped(near)}* {distance:.2f}" for near, distance in results.words]
    text = f"Words near {word}: {', '.join(near for near, _ in results.words)}"
    title = f"Words near *{escaped(word)}*, with their distances:"
    return Message(notification_text(text), [section("\n".join([title, *lines]))])


def _bar(score: float) -> str:
    filled = round(_BAR * max(0.0, min(1.0, score)))
    return "▰" * filled + "▱" * (_BAR - filled)

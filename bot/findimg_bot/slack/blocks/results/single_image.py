"""Messages about one image of a results page: sharing it, its link, its copies, and previews of links to it."""

from collections.abc import Sequence

from findimg.errors import QueryError
from findimg_bot.slack.blocks.button_values import with_suffix
from findimg_bot.slack.blocks.elements import Block, actions, button, image, section, small_text, thumbnail
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.results.hit_text import alt_text, facts, name_and_link
from findimg_bot.slack.blocks.results.results_page import HitDetails
from findimg_bot.slack.blocks.text import escaped, file_name, notification_text
from findimg_bot.slack.limits import SECTION_TEXT

MORE_LIKE_THIS, SHARE_ANYWAY = "more_like_this", "share_anyway"  # action_id
_MAX_COPIES = 10  # of each kind that a message lists


def shared_image_message(details: HitDetails, source: Block | None, user: str, choice: str) -> Message:
    """Return a message that shows one image to everybody in a channel.

    Args:
        source: where Slack finds the picture; None shows only its name.
        user: id of the person who shares it.
        choice: value of the button for similar images.
    """
    name = file_name(details.hit.uri)
    blocks = [section(name_and_link(details))]
    if source:
        blocks.append(image(source, alt_text(details)))
    shared = " · ".join([*facts(details), f"shared by <@{user}> with findimg"])
    blocks += [small_text(shared), actions([button("More like this", MORE_LIKE_THIS, choice)])]
    return Message(notification_text(f"Shared image: {name}"), blocks)


def confirm_sharing_message(uri: str, posted_in: str, target: str, choice: str) -> Message:
    """Return the message that asks for a confirmation: people who may not see an image now would see it.

    Args:
        uri: the image.
        posted_in: the channel in which it was posted, as mrkdwn.
        target: id of the channel to share it with.
        choice: value of the button, `<question id>.<number>`.
    """
    text = (
        f"*{escaped(file_name(uri))}* was posted in {posted_in}. Share it with <#{target}>? Everybody there then sees "
        "it, also people who may not see it now."
    )
    share = button("Share anyway", SHARE_ANYWAY, with_suffix(choice, target), "danger")
    return Message(
        notification_text(f"Share {file_name(uri)} with another channel?"), [section(text), actions([share])]
    )


def link_preview(details: HitDetails, source: Block | None, choice: str) -> list[Block]:
    """Return the preview of a link to an image.

    Args:
        source: where Slack finds the picture; None shows only its name.
        choice: value of the button for similar images.
    """
    text = f"*{escaped(file_name(details.hit.uri))}*\n{' · '.join(facts(details))}"
    row = section(text, thumbnail(source, alt_text(details)) if source else None)
    return [row, actions([button("More like this", MORE_LIKE_THIS, choice)])]


def link_message(uri: str, link: str, minutes: int) -> Message:
    """Return a message with a link to an image.

    Args:
        minutes: how long the link is valid; 0 for a public address, which stays valid.

    Raises:
        QueryError: the link is too long for a message.
    """
    name = escaped(file_name(uri))
    if len(f"<{link}|Open {name}>") > SECTION_TEXT:
        raise QueryError("The link to that image is longer than Slack can show. Ask the operator of findimg for it.")
    blocks = [section(f"<{link}|Open {name}>")]
    if minutes:
        blocks.append(small_text(f"Anyone with this link can open the image for {minutes} minutes."))
    return Message(notification_text(f"A link to {file_name(uri)}"), blocks)


def copies_message(uri: str, copies: Sequence[str], near_duplicates: Sequence[str]) -> Message:
    """Return the list of the images that an answer folds behind one.

    Args:
        copies: URIs of images with equal bytes.
        near_duplicates: URIs of images that look nearly the same.
    """
    blocks = [section(f"Copies of *{escaped(file_name(uri))}*")]
    for title, uris in (("Equal files", copies), ("Nearly the same picture", near_duplicates)):
        if uris:
            lines = [f"• {escaped(each)}" for each in uris[:_MAX_COPIES]]
            more = [f"and {len(uris) - _MAX_COPIES:,} more"] if len(uris) > _MAX_COPIES else []
            blocks.append(section("\n".join([f"{title}:", *lines, *more])))
    return Message(notification_text(f"Copies of {file_name(uri)}"), blocks)

// One message, as an element.

import { draw, enlargeable } from "./blocks.js";
import { dateOf, fullText, timeText } from "./dates.js";
import { toast } from "./dialogs.js";
import { element, icon, iconButton } from "./dom.js";
import { openMenu } from "./menu.js";
import { mrkdwn, plainText } from "./mrkdwn.js";
import { sizeText } from "./uploads.js";

const PAINTED = new Set(["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"]);
const HUES = 6; // number of avatar colours in the style sheet

/**
 * Return the element of a message.
 * @param {object} place the message's conversation and neighbours
 * @param {string} place.channel
 * @param {string|null} place.thread ts of the thread's first message; null in the channel
 * @param {boolean} place.follows whether the same person wrote the previous message shortly before
 * @param {object[]} place.replies to the message; empty in a thread
 * @param {function} place.act like `act` of `Context` in elements.js, with the message as first argument
 * @param {function(object, HTMLElement)} place.shortcut runs a message shortcut
 */
export function drawMessage(message, store, connection, place) {
  const user = sender(message, store);
  const context = { store, connection, act: (...used) => place.act(message, ...used) };
  const name = element("span", { class: "name" }, user.name);
  const more = iconButton("more", "More actions", { "aria-haspopup": "menu", "aria-expanded": "false" });
  more.addEventListener("click", () => openMenu(more, "Message actions", entries(message, store, place, more)));
  const reply = { class: "quiet", "aria-label": "Reply in thread", title: "Reply in thread" };
  const tools = element(
    "div",
    { class: "tools", role: "group", "aria-label": "Message tools" },
    !place.thread && !message.ephemeral && threadLink(place.channel, message.ts, reply, icon("reply")),
    more,
  );
  const label = `${user.name}, ${timeText(dateOf(message.ts))}`;
  const made = element(
    "article",
    { class: "message", tabindex: "-1", "data-ts": message.ts, "aria-label": label },
    avatar(user),
    element(
      "div",
      { class: "content" },
      message.ephemeral && element("p", { class: "only-you" }, icon("eye"), "Only visible to you"),
      element("header", {}, name, user.is_bot && element("span", { class: "badge" }, "app"), time(message.ts)),
      body(message, store, context),
      message.files?.map((file) => drawFile(file)),
      message.attachments?.map((attachment) => drawAttachment(attachment, store, context)),
      place.replies.length > 0 && replyLink(place, message, store),
    ),
    tools,
  );
  made.classList.toggle("follows", place.follows);
  made.classList.toggle("ephemeral", Boolean(message.ephemeral));
  made.classList.toggle("with-files", Boolean(message.files?.length));
  made.addEventListener("keydown", (event) => {
    if (event.key !== "ContextMenu" && !(event.key === "F10" && event.shiftKey)) return;
    event.preventDefault();
    more.click();
  });
  return made;
}

/** Return the text that a screen reader announces for a new message. */
export function announcement(message, store) {
  const files = message.files?.map((file) => file.name).join(", ");
  return `${sender(message, store).name}: ${plainText(message.text ?? "", store)}${files ? ` (${files})` : ""}`;
}

function body(message, store, context) {
  const edited = message.edited && element("span", { class: "faint" }, " (edited)");
  if (message.blocks?.length) return [element("div", { class: "blocks" }, draw(message.blocks, context)), edited];
  return message.text ? element("div", { class: "text" }, mrkdwn(message.text, store), edited) : null;
}

/** Return who sent a message: a person, an app, or a workflow, which has only a name. */
function sender(message, store) {
  if (message.user) return store.user(message.user);
  return { id: message.bot_id, name: message.username ?? "Workflow", is_bot: true };
}

/** Return the picture of a person or an app. */
export function avatar(user) {
  if (user.is_bot && user.id !== "WORKSPACE") {
    return element("img", { class: "avatar", src: "/page/static/icon.svg", alt: "", width: 36, height: 36 });
  }
  const hue = [...user.id].reduce((sum, character) => sum + character.codePointAt(0), 0) % HUES;
  return element("span", { class: `avatar hue-${hue}`, "aria-hidden": "true" }, user.name.slice(0, 1).toUpperCase());
}

function time(ts) {
  const date = dateOf(ts);
  return element("time", { datetime: date.toISOString(), title: fullText(date) }, timeText(date));
}

function drawFile(file) {
  const source = new URL(file.url, location.href);
  const address = source.origin === location.origin ? source.pathname : "";
  const about = element("a", { href: address, download: file.name }, file.name);
  if (PAINTED.has(file.mimetype) && address) {
    const size = file.width ? { width: file.width, height: file.height } : {};
    return element(
      "figure",
      { class: "file" },
      element("figcaption", {}, about),
      enlargeable(address, file.name, file.name, size),
    );
  }
  const size = element("small", {}, sizeText(file.size));
  return element("p", { class: "file card" }, icon("file"), element("span", {}, about, size));
}

/** Draw the preview of a link, or a forwarded message with its files. */
function drawAttachment(attachment, store, context) {
  if (attachment.blocks) return element("div", { class: "preview blocks" }, draw(attachment.blocks, context));
  return element(
    "blockquote",
    { class: "forwarded" },
    element("b", {}, attachment.author_name),
    attachment.text && element("div", { class: "text" }, mrkdwn(attachment.text, store)),
    attachment.files.map((file) => drawFile(file)),
  );
}

function threadLink(channel, ts, attributes, ...children) {
  return element("a", { href: `#${channel}/${ts}`, ...attributes }, ...children);
}

function replyLink({ channel, replies }, message, store) {
  const senders = new Map(replies.map((reply) => [reply.user ?? reply.bot_id, sender(reply, store)]));
  const people = [...senders.values()].slice(0, 3).map((user) => avatar(user));
  const count = replies.length === 1 ? "1 reply" : `${replies.length} replies`;
  const last = element("span", { class: "faint" }, `Last ${timeText(dateOf(replies.at(-1).ts))}`);
  return threadLink(channel, message.ts, { class: "replies" }, people, element("b", {}, count), last);
}

function entries(message, store, place, more) {
  const shortcuts = store.state.shortcuts.map((shortcut) => ({
    text: shortcut.name,
    detail: store.state.bot.name,
    icon: icon("wand"),
    run: () => place.shortcut(shortcut, message, more.closest(".message")),
  }));
  const copy = (text, confirmation) => () => navigator.clipboard.writeText(text).then(
    () => toast(confirmation),
    () => toast("The browser did not let the page copy."),
  );
  const files = message.files ?? [];
  const links = files.map((file) => ({
    text: `Copy link to ${files.length > 1 ? file.name : PAINTED.has(file.mimetype) ? "the image" : "the file"}`,
    icon: icon("link"),
    run: copy(file.permalink, "The link is copied."),
  }));
  if (!message.ephemeral && store.state.team.url) {
    const address = `${store.state.team.url}archives/${place.channel}/p${message.ts.replace(".", "")}`;
    links.push({ text: "Copy link to the message", icon: icon("link"), run: copy(address, "The link is copied.") });
  }
  const text = plainText(message.text ?? "", store);
  const copying = { text: "Copy text", icon: icon("copy"), run: copy(text, "The text is copied.") };
  return message.ephemeral ? [copying] : [...shortcuts, null, ...links, copying];
}

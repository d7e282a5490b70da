// One message, as an element.

import { draw, enlargeable } from "./blocks.js";
import { dateOf, fullText, timeText } from "./dates.js";
import { toast } from "./dialogs.js";
import { element, icon } from "./dom.js";
import { openMenu } from "./menu.js";
import { mrkdwn, plainText } from "./mrkdwn.js";
import { sizeText } from "./uploads.js";

const PAINTED = new Set(["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"]);
const HUES = 6; // of the avatars, in the style sheet

/**
 * Draws a message.
 * @param {object} place where it stands
 * @param {string} place.channel
 * @param {string|null} place.thread of a thread's panel its parent's ts
 * @param {boolean} place.follows whether the same person wrote the message before, just now
 * @param {object[]} place.replies to it, empty in a thread
 * @param {function} place.act tells the bot that an element was used, see `Context` in elements.js; the message first
 * @param {function(object, HTMLElement)} place.shortcut runs a message shortcut
 */
export function drawMessage(message, store, connection, place) {
  const user = store.user(message.user);
  const context = { store, connection, act: (...used) => place.act(message, ...used) };
  const name = element("span", { class: "name" }, user.name);
  const more = element(
    "button",
    { type: "button", class: "quiet", "aria-label": "More actions", title: "More actions", "aria-haspopup": "menu", "aria-expanded": "false" },
    icon("more"),
  );
  more.addEventListener("click", () => openMenu(more, "Message actions", entries(message, store, place, more)));
  const threads = !place.thread && !message.ephemeral;
  const tools = element(
    "div",
    { class: "tools", role: "group", "aria-label": "Message tools" },
    threads && threadLink(place.channel, message.ts, { class: "quiet", "aria-label": "Reply in thread", title: "Reply in thread" }, icon("reply")),
    more,
  );
  const classes = ["message", place.follows && "follows", message.ephemeral && "ephemeral", message.files?.length && "with-files"];
  const made = element(
    "article",
    { class: classes.filter(Boolean).join(" "), tabindex: "-1", "data-ts": message.ts, "aria-label": `${user.name}, ${timeText(dateOf(message.ts))}` },
    avatar(user),
    element(
      "div",
      { class: "content" },
      message.ephemeral && element("p", { class: "only-you" }, icon("eye"), "Only visible to you"),
      element("header", {}, name, user.is_bot && element("span", { class: "badge" }, "app"), time(message.ts)),
      body(message, store, context),
      message.files?.map((file) => drawFile(file)),
      place.replies.length > 0 && replyLink(place, message, store),
    ),
    tools,
  );
  made.addEventListener("keydown", (event) => {
    if (event.key !== "ContextMenu" && !(event.key === "F10" && event.shiftKey)) return;
    event.preventDefault();
    more.click();
  });
  return made;
}

/** What a screen reader is told of a message. */
export function spoken(message, store) {
  const files = message.files?.map((file) => file.name).join(", ");
  return [store.user(message.user).name, ": ", plainText(message.text ?? "", store), files && ` (${files})`].filter(Boolean).join("");
}

function body(message, store, context) {
  const edited = message.edited && element("span", { class: "faint" }, " (edited)");
  if (message.blocks?.length) return [element("div", { class: "blocks" }, draw(message.blocks, context)), edited];
  return message.text ? element("div", { class: "text" }, mrkdwn(message.text, store), edited) : null;
}

/** A person's or an app's picture. */
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
  return element("p", { class: "file card" }, icon("file"), element("span", {}, about, element("small", {}, sizeText(file.size))));
}

function threadLink(channel, ts, attributes, ...children) {
  return element("a", { href: `#${channel}/${ts}`, ...attributes }, ...children);
}

function replyLink({ channel, replies }, message, store) {
  const people = [...new Set(replies.map((reply) => reply.user))].slice(0, 3).map((id) => avatar(store.user(id)));
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
  const copy = (text, said) => () => navigator.clipboard.writeText(text).then(
    () => toast(said),
    () => toast("The browser did not let the page copy."),
  );
  const images = message.files ?? [];
  const links = images.map((file) => ({
    text: images.length > 1 ? `Copy link to ${file.name}` : "Copy link to the image",
    icon: icon("link"),
    run: copy(file.permalink, "The link is copied."),
  }));
  if (!message.ephemeral && store.state.team.url) {
    const address = `${store.state.team.url}archives/${place.channel}/p${message.ts.replace(".", "")}`;
    links.push({ text: "Copy link to the message", icon: icon("link"), run: copy(address, "The link is copied.") });
  }
  const text = { text: "Copy text", icon: icon("copy"), run: copy(plainText(message.text ?? "", store), "The text is copied.") };
  return message.ephemeral ? [text] : [...shortcuts, null, ...links, text];
}

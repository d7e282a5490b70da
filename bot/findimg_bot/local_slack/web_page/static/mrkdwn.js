// Slack's mrkdwn as DOM nodes. Source: "Formatting message text" in Slack's documentation.

import { dateText } from "./dates.js";
import { element } from "./dom.js";
import { emoji, withEmoji } from "./emoji.js";

const SCHEMES = new Set(["http:", "https:", "mailto:", "tel:"]);
const TOKEN = /`|<([^<>\n]+)>|\bhttps?:\/\/[^\s<>|]+[^\s<>|.,;:!?)'"\]]|:([a-z0-9_+-]+):|[*_~]/gi;
const MARKS = { "*": "strong", _: "em", "~": "s", "`": "code" };
// Characters that may be beside a mark. Invisible ones are not among them: a bot adds one to show a mark as it is.
const EDGE = /[\s\p{P}\p{S}]/u;

/**
 * Return the nodes of a mrkdwn text.
 * @param {string} text
 * @param {import("./store.js").Store} store for the names of people and channels
 * @returns {DocumentFragment}
 */
export function mrkdwn(text, store) {
  const made = document.createDocumentFragment();
  text.split(/```\n?([\s\S]+?)\n?```/).forEach((part, number) => {
    if (number % 2) made.append(element("pre", {}, decoded(part)));
    else made.append(...paragraphs(part, store));
  });
  return made;
}

/** Return a mrkdwn text without its marks. */
export function plainText(text, store) {
  return mrkdwn(text, store).textContent;
}

/** Return the node of a Block Kit text object, `{type, text, emoji?}`. */
export function textObject(object, store) {
  if (object.type === "mrkdwn") return mrkdwn(object.text, store);
  return document.createTextNode(object.emoji === false ? object.text : withEmoji(object.text));
}

/** Return a link that opens a new tab, or null if the address's scheme is not allowed. */
export function link(address, ...children) {
  if (!URL.canParse(address) || !SCHEMES.has(new URL(address).protocol)) return null;
  return element("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

export function mention(id, store) {
  const own = id === store.state.me.id ? " mention-me" : "";
  return element("span", { class: `mention${own}` }, `@${store.user(id).name}`);
}

function paragraphs(text, store) {
  const nodes = [];
  let quote = null;
  text.split("\n").forEach((line, number) => {
    const quoted = /^(?:&gt;|>) ?(.*)$/.exec(line);
    if (quoted) {
      if (quote) quote.append("\n");
      else nodes.push((quote = element("blockquote")));
      quote.append(...inline(quoted[1], store));
    } else {
      if (number && !quote) nodes.push("\n");
      quote = null;
      nodes.push(...inline(line, store));
    }
  });
  return nodes;
}

function inline(text, store) {
  const nodes = [];
  let done = 0;
  TOKEN.lastIndex = 0;
  for (let found; (found = TOKEN.exec(text)); ) {
    const start = found.index;
    const made = token(text, found, store);
    if (!made) continue;
    const [node, end] = made;
    nodes.push(decoded(text.slice(done, start)), node);
    done = end;
    TOKEN.lastIndex = end;
  }
  nodes.push(decoded(text.slice(done)));
  return nodes;
}

/** Return a token's node and the position behind it, or null if the token is plain text. */
function token(text, found, store) {
  const [whole, reference, name] = found;
  const after = found.index + whole.length;
  if (reference) {
    const node = referenced(reference, store);
    return node && [node, after];
  }
  if (name) {
    const character = emoji(name);
    return character ? [character, after] : null;
  }
  if (whole.length > 1) return [link(decoded(whole), decoded(whole)) ?? decoded(whole), after];
  const end = closing(text, found.index);
  if (end < 0) return null;
  const inner = text.slice(after, end);
  const mark = text[found.index];
  // `inline` resets TOKEN.lastIndex. The caller sets it again, to the end that is returned here.
  return [element(MARKS[mark], {}, ...(mark === "`" ? [decoded(inner)] : inline(inner, store))), end + 1];
}

/** Return the position of the mark that closes the one at `start`, or -1. */
function closing(text, start) {
  const mark = text[start];
  if (start > 0 && !EDGE.test(text[start - 1])) return -1;
  if (mark !== "`" && /\s/.test(text[start + 1] ?? " ")) return -1;
  for (let end = start + 2; end < text.length; end++) {
    const alone = end + 1 === text.length || EDGE.test(text[end + 1]);
    if (text[end] === mark && alone && (mark === "`" || !/\s/.test(text[end - 1]))) return end;
  }
  return -1;
}

/** Return the node of a reference (the text between < and >), or null if it cannot be shown. */
function referenced(reference, store) {
  const bar = reference.indexOf("|");
  const target = bar < 0 ? reference : reference.slice(0, bar);
  const label = bar < 0 ? null : decoded(reference.slice(bar + 1));
  switch (target[0]) {
    case "@":
      return mention(target.slice(1), store);
    case "#": {
      const channel = store.channel(target.slice(1));
      return element("a", { class: "mention", href: target }, `#${channel?.name ?? label ?? target.slice(1)}`);
    }
    case "!":
      return special(target.slice(1), label);
    default:
      return link(decoded(target), label ?? decoded(target).replace(/^mailto:/, ""));
  }
}

function special(target, label) {
  const [kind, seconds, pattern, address] = target.split("^");
  if (kind === "date" && pattern) {
    const date = new Date(Number(seconds) * 1000);
    if (Number.isNaN(date.getTime())) return label;
    const time = element("time", { datetime: date.toISOString() }, dateText(date, decoded(pattern)));
    return (address && link(decoded(address), time)) || time;
  }
  return element("span", { class: "mention" }, label ?? `@${kind}`);
}

function decoded(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

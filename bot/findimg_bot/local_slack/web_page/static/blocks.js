// Block Kit as DOM nodes. Source: Slack's reference of blocks, https://docs.slack.dev/reference/block-kit/blocks

import { enlarge } from "./dialogs.js";
import { element } from "./dom.js";
import { dateText } from "./dates.js";
import { interactive } from "./elements.js";
import { emoji } from "./emoji.js";
import { link, mention, textObject } from "./mrkdwn.js";

const STYLES = { bold: "strong", italic: "em", strike: "s", code: "code", underline: "u" };
const LOCAL = new Set(["127.0.0.1", "localhost"]);
let lastId = 0; // for the ids of labels

/**
 * Return one element for each block.
 * @param {object[]} blocks
 * @param {import("./elements.js").Context} context
 */
export function draw(blocks, context) {
  return blocks.map((block) => {
    const drawn = (DRAWN[block.type] ?? unknown)(block, context);
    return element("div", { class: `block ${block.type}`, "data-block": block.block_id }, drawn);
  });
}

const DRAWN = {
  section(block, context) {
    const { text, fields, accessory } = block;
    const body = element(
      "div",
      { class: "body" },
      text && element("div", { class: "text" }, textObject(text, context.store)),
      fields &&
        element(
          "div",
          { class: "fields" },
          fields.map((field) => element("div", { class: "text" }, textObject(field, context.store))),
        ),
    );
    if (!accessory) return body;
    return [body, element("div", { class: "accessory" }, part(block, accessory, context))];
  },
  header: (block, context) => element("h3", {}, textObject(block.text, context.store)),
  divider: () => element("hr"),
  image: (block, context) =>
    element(
      "figure",
      {},
      block.title && element("figcaption", {}, textObject(block.title, context.store)),
      picture(block, block.title?.text),
    ),
  context: (block, context) => block.elements.map((each) => part(block, each, context)),
  actions: (block, context) => block.elements.map((each) => part(block, each, context)),
  carousel: (block, context) => draw(block.elements, context),
  card: (block, context) => [
    block.hero_image && picture(block.hero_image),
    block.title && element("p", { class: "card-title" }, textObject(block.title, context.store)),
    block.subtitle && element("p", { class: "faint" }, textObject(block.subtitle, context.store)),
    block.body && element("p", {}, textObject(block.body, context.store)),
    block.actions &&
      element(
        "div",
        { class: "actions" },
        block.actions.map((each) => part(block, each, context)),
      ),
  ],
  input(block, context) {
    const id = `input-${++lastId}`;
    return [
      element(
        "p",
        { class: "label", id },
        textObject(block.label, context.store),
        block.optional && element("span", { class: "faint" }, " (optional)"),
      ),
      interactive(block, block.element, context, id) ?? unknown(block.element),
      block.hint && element("p", { class: "faint hint" }, textObject(block.hint, context.store)),
      element("p", { class: "error", id: `${id}-error`, hidden: true }),
    ];
  },
  markdown: (block) => element("div", { class: "text" }, block.text),
  rich_text: (block, context) => block.elements.map((each) => rich(each, context)),
};

/** Return the node of an element in a section, context, actions or card block. */
function part(block, each, context) {
  if (each.type === "image") return picture(each);
  if (each.type === "mrkdwn" || each.type === "plain_text") {
    return element("span", { class: "text" }, textObject(each, context.store));
  }
  return interactive(block, each, context) ?? unknown(each);
}

/** Return an image that a click enlarges. An image on another machine becomes a link, because the page loads none. */
function picture(image, title) {
  const source = image.page_url ?? image.image_url ?? "";
  const address = URL.canParse(source, location.href) ? new URL(source, location.href) : null;
  if (!LOCAL.has(address?.hostname)) {
    return element("p", { class: "elsewhere" }, `${image.alt_text} `, link(source, "(opens elsewhere)"));
  }
  return enlargeable(address.href, image.alt_text, title);
}

/** Return an image in a button that enlarges it. If the browser cannot show the image, its name replaces it. */
export function enlargeable(source, alt, title, size = {}) {
  const painted = element("img", { src: source, alt, loading: "lazy", decoding: "async", ...size });
  const button = element(
    "button",
    { type: "button", class: "picture", title: "Enlarge", on: { click: () => enlarge(source, alt, title) } },
    painted,
  );
  painted.addEventListener("load", () => button.classList.add("painted"));
  painted.addEventListener("error", () => {
    button.replaceWith(element("p", { class: "elsewhere" }, `${alt} (this image cannot be shown)`));
  });
  return button;
}

function rich(each, context) {
  const parts = () =>
    each.elements.map((inner) => (inner.elements ? rich(inner, context) : richPart(inner, context.store)));
  switch (each.type) {
    case "rich_text_list": {
      const items = each.elements.map((inner) => element("li", {}, rich(inner, context)));
      return element(each.style === "ordered" ? "ol" : "ul", { class: `indent-${each.indent ?? 0}` }, items);
    }
    case "rich_text_quote":
      return element("blockquote", {}, parts());
    case "rich_text_preformatted":
      return element("pre", {}, parts());
    default:
      return element("div", { class: "text" }, parts());
  }
}

function richPart(each, store) {
  const node = richNode(each, store);
  return Object.entries(STYLES).reduce(
    (inner, [style, name]) => (each.style?.[style] ? element(name, {}, inner) : inner),
    node,
  );
}

function richNode(each, store) {
  switch (each.type) {
    case "text":
      return each.text;
    case "link":
      return link(each.url, each.text ?? each.url) ?? each.text ?? each.url;
    case "emoji":
      return emoji(each.name) ?? `:${each.name}:`;
    case "user":
      return mention(each.user_id, store);
    case "channel":
      return element("span", { class: "mention" }, `#${store.channel(each.channel_id)?.name ?? each.channel_id}`);
    case "broadcast":
      return element("span", { class: "mention" }, `@${each.range}`);
    case "date":
      return dateText(new Date(each.timestamp * 1000), each.format);
    case "color":
      return each.value;
    default:
      return each.fallback ?? "";
  }
}

function unknown(each) {
  return element("p", { class: "elsewhere" }, `This workspace does not draw “${each.type}”; Slack does.`);
}

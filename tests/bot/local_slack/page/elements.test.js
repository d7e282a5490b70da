import assert from "node:assert/strict";
import { test } from "node:test";

import { page, store } from "./document.js";

const { draw } = await page("blocks.js");
const { keyOf } = await page("elements.js");
const { emoji, withEmoji } = await page("emoji.js");
const { sizeText } = await page("uploads.js");
const html = (block) => draw([{ block_id: "b", ...block }], { store })[0].html;
const plain = (text) => ({ type: "plain_text", text });
const image = (address) => ({ type: "image", alt_text: "a cat", image_url: address });

test("an element's key names its block and its action", () => {
  assert.equal(keyOf({ block_id: "b" }, { action_id: "a" }), "b/a");
});

test("a section's image is in its accessory", () => {
  const drawn = html({ type: "section", text: plain("cat.jpg"), accessory: image("http://127.0.0.1:1234/cat.jpg") });
  assert.match(drawn, /<div class="accessory"><button [^>]*class="picture"[^>]*><img [^>]*alt="a cat"/);
});

test("images of other machines are not fetched", () => {
  const drawn = html(image("https://example.org/cat.jpg"));
  assert.doesNotMatch(drawn, /<img/);
  assert.match(drawn, /<a href="https:\/\/example\.org\/cat\.jpg"/);
});

test("a card shows its picture, texts and buttons", () => {
  const button = { type: "button", action_id: "a", text: plain("More like this") };
  const card = { type: "card", block_id: "c", title: plain("cat.jpg"), hero_image: image("http://localhost/c.jpg") };
  const drawn = html({ type: "carousel", elements: [{ ...card, actions: [button] }] });
  assert.match(drawn, /<img [^>]*src="http:\/\/localhost\/c\.jpg".*cat\.jpg.*More like this/);
});

test("a person's rich text shows its styles, links and emoji", () => {
  const elements = [
    { type: "text", text: "a", style: { bold: true } },
    { type: "emoji", name: "tada" },
    { type: "link", url: "javascript:alert(1)", text: "no" },
  ];
  const drawn = html({ type: "rich_text", elements: [{ type: "rich_text_section", elements }] });
  assert.match(drawn, /<strong>a<\/strong>🎉no/);
});

test("a button opens only web addresses", () => {
  const button = (url) => html({ type: "actions", elements: [{ type: "button", action_id: "a", text: plain("Open"), url }] });
  assert.match(button("https://example.org/"), /<a [^>]*href="https:\/\/example\.org\/"/);
  assert.doesNotMatch(button("javascript:alert(1)"), /href/);
});

test("a block that the page does not know is named", () => {
  assert.match(html({ type: "video" }), /video/);
});

test("emoji names become characters, unknown names stay", () => {
  assert.equal(emoji("TADA"), "🎉");
  assert.equal(withEmoji("a :tada: b :no_such: 10:30:15"), "a 🎉 b :no_such: 10:30:15");
});

test("sizes are short", () => {
  assert.deepEqual([900, 2048, 5_200_000].map(sizeText), ["900 bytes", "2 kB", "5.2 MB"]);
});

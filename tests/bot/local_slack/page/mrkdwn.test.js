import assert from "node:assert/strict";
import { test } from "node:test";

import { page, store } from "./document.js";

const { link, mrkdwn, plainText, textObject } = await page("mrkdwn.js");
const html = (text) => mrkdwn(text, store).html;

test("marks become elements", () => {
  assert.equal(html("*bold* _it_ ~no~ `a*b*`"), "<strong>bold</strong> <em>it</em> <s>no</s> <code>a*b*</code>");
  assert.equal(html("*bold _and it_*"), "<strong>bold <em>and it</em></strong>");
});

test("marks inside words stay text", () => {
  assert.equal(html("snake_case_name 2*3*4 a ~ b"), "snake_case_name 2*3*4 a ~ b");
});

test("a mark that is not closed stays text", () => {
  assert.equal(html("*bold"), "*bold");
  assert.equal(html("a ` b"), "a ` b");
});

test("markup in a text is escaped", () => {
  const hostile = "&lt;img src=x onerror=alert(1)&gt;";
  assert.equal(html(hostile), hostile);
  assert.equal(html("<img src=x onerror=alert(1)>"), "&lt;img src=x onerror=alert(1)&gt;");
});

test("entities are decoded once", () => {
  assert.equal(plainText("&amp;lt;b&amp;gt;", store), "&lt;b&gt;");
});

test("links open in another tab", () => {
  const expected = '<a href="https://example.org/a" target="_blank" rel="noopener noreferrer">site</a>';
  assert.equal(html("<https://example.org/a|site>"), expected);
});

test("an address outside angle brackets ends before punctuation", () => {
  assert.match(html("See https://example.org/a."), /href="https:\/\/example\.org\/a" .*<\/a>\.$/);
});

for (const address of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "no address"]) {
  test(`${address} is not a link`, () => {
    assert.equal(link(address, "text"), null);
    assert.doesNotMatch(html(`<${address}|text>`), /<a /);
  });
}

test("mentions show names, and mark the reader's own", () => {
  assert.equal(html("<@U2>"), '<span class="mention">@findimg</span>');
  assert.equal(html("<@U1>"), '<span class="mention mention-me">@you</span>');
  assert.equal(html("<#C1>"), '<a class="mention" href="#C1">#general</a>');
  assert.equal(html("<!here>"), '<span class="mention">@here</span>');
});

test("quoted lines share one quote", () => {
  assert.equal(html("&gt; one\n&gt; two\nthree"), "<blockquote>one\ntwo</blockquote>three");
});

test("text in a code block keeps its marks and its spaces", () => {
  assert.equal(html("```a\n  *b*```"), "<pre>a\n  *b*</pre>");
});

test("a date shows its placeholders in the reader's format", () => {
  const year = html("<!date^86400^year {date_num}|then>");
  assert.match(year, /^<time datetime="1970-01-02T00:00:00\.000Z">year .*1970.*<\/time>$/);
  assert.equal(html("<!date^never^{date_num}|then>"), "then");
});

test("plain text objects show emoji only where they may", () => {
  assert.equal(textObject({ type: "plain_text", text: "*a* :tada:" }, store).html, "*a* 🎉");
  assert.equal(textObject({ type: "plain_text", text: ":tada:", emoji: false }, store).html, ":tada:");
});

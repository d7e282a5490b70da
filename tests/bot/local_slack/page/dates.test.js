import assert from "node:assert/strict";
import { test } from "node:test";

import { page } from "./document.js";

const { dateOf, dateText, dayText } = await page("dates.js");
const daysAgo = (days) => new Date(Date.now() - days * 86400000);
const relative = (days) => new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(-days, "day");

test("a message's ts is seconds since 1970", () => {
  assert.equal(dateOf("86400.000100").toISOString().slice(0, 10), "1970-01-02");
});

test("today and yesterday are named", () => {
  for (const days of [0, 1]) assert.equal(dayText(daysAgo(days)).toLowerCase(), relative(days));
});

test("older days are dates", () => {
  assert.match(dayText(new Date(2001, 1, 3)), /3/);
});

test("unknown placeholders stay", () => {
  assert.equal(dateText(new Date(0), "{no_such} at"), "{no_such} at");
});

test("a recent time is counted in its largest unit", () => {
  const ago = (seconds) => dateText(new Date(Date.now() - seconds * 1000), "{ago}");
  assert.match(ago(3 * 3600 + 60), /3/);
  assert.match(ago(2 * 86400 + 60), /2/);
  assert.notEqual(ago(3 * 3600), ago(3 * 60));
});

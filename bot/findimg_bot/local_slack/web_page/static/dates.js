// Dates and times as text, in the browser's language and time zone.

const format = (options) => new Intl.DateTimeFormat(undefined, options);
const TIME = format({ hour: "numeric", minute: "2-digit" });
const SECONDS = format({ hour: "numeric", minute: "2-digit", second: "2-digit" });
const DAY = format({ weekday: "long", day: "numeric", month: "long" });
const FULL = format({ dateStyle: "full", timeStyle: "medium" });
const NUMBERS = format({ year: "numeric", month: "2-digit", day: "2-digit" });
const SHORT = format({ year: "numeric", month: "short", day: "numeric" });
const LONG = format({ year: "numeric", month: "long", day: "numeric" });
const LONGEST = format({ weekday: "long", year: "numeric", month: "long", day: "numeric" });
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** Return the date of a message's `ts`: seconds since 1970 with a counter as decimals. */
export const dateOf = (ts) => new Date(Number(ts) * 1000);

export const timeText = (date) => TIME.format(date);
export const fullText = (date) => FULL.format(date);

/** Return "Today", "Yesterday" or the day. */
export function dayText(date) {
  const text = pretty(date) ?? DAY.format(date);
  return text[0].toUpperCase() + text.slice(1);
}

/** Fill the placeholders of Slack's date token, such as `{date_short_pretty} at {time}`. */
export function dateText(date, pattern) {
  const values = {
    date_num: () => NUMBERS.format(date),
    date: () => LONG.format(date),
    date_short: () => SHORT.format(date),
    date_long: () => LONGEST.format(date),
    date_pretty: () => pretty(date) ?? LONG.format(date),
    date_short_pretty: () => pretty(date) ?? SHORT.format(date),
    date_long_pretty: () => pretty(date) ?? LONGEST.format(date),
    time: () => TIME.format(date),
    time_secs: () => SECONDS.format(date),
    ago: () => ago(date),
  };
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => values[name]?.() ?? whole);
}

function pretty(date) {
  const days = Math.round((midnight(date) - midnight(new Date())) / 86400000);
  return Math.abs(days) > 1 ? null : RELATIVE.format(days, "day");
}

function ago(date) {
  const seconds = Math.round((date - Date.now()) / 1000);
  const [unit, size] = UNITS.find((each) => Math.abs(seconds) >= each[1]) ?? UNITS.at(-1);
  return RELATIVE.format(Math.trunc(seconds / size), unit);
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}

// Emoji, which Slack's payloads carry as names between colons.

const characters = new Map(); // by name

/** Add emoji: an object of characters by name. */
export function addEmoji(named) {
  for (const [name, character] of Object.entries(named)) characters.set(name, character);
}

/** Return the character of a name, or undefined when the name is not known. */
export function emoji(name) {
  return characters.get(name.toLowerCase());
}

/** Return plain text with a character in place of each known name. */
export function withEmoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/gi, (whole, name) => emoji(name) ?? whole);
}

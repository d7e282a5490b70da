// The emoji that are written as :name: most often; any other name stays as it is.

const EMOJI = new Map(
  Object.entries({
    information_source: "ℹ️", warning: "⚠️", white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌",
    no_entry: "⛔", question: "❓", exclamation: "❗", bulb: "💡", mag: "🔍", mag_right: "🔎", camera: "📷",
    camera_with_flash: "📸", frame_with_picture: "🖼️", art: "🎨", label: "🏷️", link: "🔗", pushpin: "📌",
    file_folder: "📁", open_file_folder: "📂", hourglass: "⌛", hourglass_flowing_sand: "⏳", lock: "🔒", key: "🔑",
    gear: "⚙️", wrench: "🔧", rocket: "🚀", sparkles: "✨", star: "⭐", tada: "🎉", fire: "🔥", zap: "⚡", eyes: "👀",
    wave: "👋", "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", ok_hand: "👌", clap: "👏", pray: "🙏",
    raised_hands: "🙌", muscle: "💪", point_right: "👉", point_left: "👈", point_up: "☝️", point_down: "👇",
    heart: "❤️", smile: "😄", smiley: "😃", slightly_smiling_face: "🙂", wink: "😉", blush: "😊", joy: "😂",
    thinking_face: "🤔", sweat_smile: "😅", cry: "😢", disappointed: "😞", robot_face: "🤖", elephant: "🐘",
    cat: "🐱", dog: "🐶", arrow_right: "➡️", arrow_left: "⬅️", arrow_up: "⬆️", arrow_down: "⬇️", one: "1️⃣",
    two: "2️⃣", three: "3️⃣", speech_balloon: "💬", memo: "📝", books: "📚", package: "📦", seedling: "🌱",
  }),
);

/** The character that a name stands for; undefined when it is not known. */
export function emoji(name) {
  return EMOJI.get(name.toLowerCase());
}

/** Plain text with its emoji. */
export function withEmoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/gi, (whole, name) => emoji(name) ?? whole);
}

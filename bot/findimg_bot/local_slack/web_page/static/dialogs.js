// Dialogs that are ours: an image enlarged, a question before something is done, a word in passing.

import { element, iconButton } from "./dom.js";
import { textObject } from "./mrkdwn.js";

const MOST = 2; // times its size that an image is enlarged, beyond which one sees squares
const TOAST = 4000; // milliseconds that a word in passing stays

/** Shows an image as large as the window. */
export function enlarge(source, alt, title) {
  const close = iconButton("close", "Close");
  const image = element("img", { src: source, alt });
  image.addEventListener("load", () => (image.style.maxWidth = `${image.naturalWidth * MOST}px`));
  const dialog = element(
    "dialog",
    { class: "lightbox", "aria-label": title || alt || "Image" },
    element("header", {}, element("p", {}, title || alt), close),
    image,
  );
  // Anything but the image closes it, as the dark around a picture does elsewhere.
  dialog.addEventListener("click", (event) => event.target.localName !== "img" && dialog.close());
  show(dialog);
}

/**
 * Asks before something is done.
 * @param {object} question Block Kit's confirmation dialog.
 * @returns {Promise<boolean>}
 */
export function confirmed(question, store) {
  const answer = (value, label, style) =>
    element("button", { value, class: `button ${style}` }, textObject(label, store));
  const dialog = element(
    "dialog",
    { class: "dialog question", "aria-labelledby": "question", role: "alertdialog" },
    element(
      "form",
      { method: "dialog" },
      element("h2", { id: "question" }, textObject(question.title, store)),
      element("div", { class: "text" }, textObject(question.text, store)),
      element(
        "footer",
        {},
        answer("no", question.deny, ""),
        answer("yes", question.confirm, question.style === "danger" ? "danger" : "primary"),
      ),
    ),
  );
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
    show(dialog);
  });
}

/** Says something in passing. */
export function toast(sentence) {
  const said = element("p", { class: "toast" }, sentence);
  document.getElementById("toasts").replaceChildren(said);
  setTimeout(() => said.remove(), TOAST);
}

function show(dialog) {
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// The page's own dialogs: an enlarged image, a confirmation, and a toast (a short message that disappears).

import { element, iconButton } from "./dom.js";
import { textObject } from "./mrkdwn.js";

const MAX_SCALE = 2; // enlarge an image at most to twice its size, because more shows single pixels
const TOAST_TIME = 4000; // milliseconds

/** Show an image as large as the window allows. */
export function enlarge(source, alt, title) {
  const close = iconButton("close", "Close");
  const image = element("img", { src: source, alt });
  image.addEventListener("load", () => (image.style.maxWidth = `${image.naturalWidth * MAX_SCALE}px`));
  const dialog = element(
    "dialog",
    { class: "lightbox", "aria-label": title || alt || "Image" },
    element("header", {}, element("p", {}, title || alt), close),
    image,
  );
  // A click outside the image closes the dialog.
  dialog.addEventListener("click", (event) => event.target.localName !== "img" && dialog.close());
  show(dialog);
}

/**
 * Ask the person to confirm an action.
 * @param {object} question Block Kit's confirmation object
 * @returns {Promise<boolean>} whether the person has confirmed
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

/** Show a sentence for a few seconds. */
export function toast(sentence) {
  const shown = element("p", { class: "toast" }, sentence);
  document.getElementById("toasts").replaceChildren(shown);
  setTimeout(() => shown.remove(), TOAST_TIME);
}

/** Show a dialog, which is removed when it is closed. */
export function show(dialog) {
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

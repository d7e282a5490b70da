// The modal that the bot opened.

import { element, iconButton } from "./dom.js";
import { textObject } from "./mrkdwn.js";
import { takePastes } from "./uploads.js";
import { View } from "./view.js";

/** Shows the store's modal in a `dialog` element, which keeps the focus inside and closes with Escape. */
export class Modal {
  #store;
  #connection;
  #dialog = null;
  #id = null;
  #view = null;
  #problem = null;

  constructor(store, connection) {
    this.#store = store;
    this.#connection = connection;
  }

  update() {
    const view = this.#store.state.modal;
    if (!view) {
      this.#dialog?.close();
      return;
    }
    if (view.id !== this.#id) this.#open(view);
    this.#title.replaceChildren(textObject(view.title, this.#store));
    this.#view.update(view);
    this.#buttons.replaceChildren(...this.#footer(view));
    if (!this.#dialog.open) {
      this.#dialog.showModal();
      (this.#view.node.querySelector("input:not(.unseen), textarea, select, button") ?? this.#dialog).focus();
    }
  }

  #open(view) {
    this.#dialog?.close();
    this.#id = view.id;
    this.#view = new View(this.#store, this.#connection, (sentence) => this.#say(sentence));
    this.#problem = element("p", { class: "problem", role: "alert", hidden: true });
    const close = iconButton("close", "Close");
    const form = element(
      "form",
      { novalidate: true },
      element("header", {}, element("h2", { id: "modal-title" }), close),
      this.#view.node,
      this.#problem,
      element("footer"),
    );
    const dialog = element("dialog", { class: "dialog modal", "aria-labelledby": "modal-title" }, form);
    close.addEventListener("click", () => this.#close(view));
    dialog.addEventListener("cancel", (event) => {
      if (event.target !== dialog) return; // a cancelled file chooser fires this event too
      event.preventDefault();
      this.#close(view);
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (this.#dialog === dialog) this.#dialog = this.#id = null;
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(form);
    });
    // If the modal has a file input, an image can be pasted anywhere in it.
    takePastes(form, (files) => this.#view.addFiles(files));
    this.#dialog = dialog;
    document.body.append(dialog);
  }

  get #title() {
    return this.#dialog.querySelector("h2");
  }

  get #buttons() {
    return this.#dialog.querySelector("footer");
  }

  #footer(view) {
    const inputs = view.blocks.some((block) => block.type === "input");
    const leave = view.close ? textObject(view.close, this.#store) : "Cancel";
    const close = element("button", { type: "button", class: "button" }, leave);
    close.addEventListener("click", () => this.#close(view));
    if (!view.submit && !inputs) return [close];
    const text = view.submit ? textObject(view.submit, this.#store) : "Submit";
    return [close, element("button", { type: "submit", class: "button primary" }, element("span", {}, text))];
  }

  async #submit(form) {
    const button = form.querySelector("[type=submit]");
    const view = this.#view;
    if (!button || button.hasAttribute("aria-busy")) return;
    this.#say("");
    button.setAttribute("aria-busy", "true");
    const id = this.#id;
    await view.finishUploads();
    if (this.#id !== id) return; // closed meanwhile
    const problems = view.problems;
    view.showErrors(problems);
    const complete = Object.keys(problems).length === 0;
    const answer = complete
      ? await this.#connection.request("/page/submit", { view_id: id, values: view.values })
      : {};
    button.removeAttribute("aria-busy");
    if (answer.errors && !view.showErrors(answer.errors)) this.#say(Object.values(answer.errors).join(" "));
    else if (answer.error) this.#say(answer.error);
  }

  async #close(view) {
    this.#dialog?.close();
    this.#store.state.modal = null;
    await this.#connection.request("/page/close", { view_id: view.id });
  }

  #say(sentence) {
    this.#problem.textContent = sentence;
    this.#problem.hidden = !sentence;
  }
}

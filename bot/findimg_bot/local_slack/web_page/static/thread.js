// The panel beside the channel that shows a thread.

import { Conversation } from "./conversation.js";
import { element, iconButton } from "./dom.js";

/** Shows one thread at a time. */
export class Thread {
  #store;
  #connection;
  #node = document.getElementById("thread");
  #conversation = null;

  /** @param {function()} close is called to leave the thread */
  constructor(store, connection, close) {
    this.#store = store;
    this.#connection = connection;
    this.close = close;
    this.#node.addEventListener("keydown", (event) => event.key === "Escape" && !event.defaultPrevented && close());
  }

  get ts() {
    return this.#conversation?.thread ?? null;
  }

  /**
   * Show a thread, or hide the panel.
   * @param {string|null} ts of the thread's first message; null hides the panel
   */
  show(channel, ts, name) {
    if (this.#conversation?.channel === channel && this.ts === ts) return;
    this.#conversation = ts ? new Conversation(this.#store, this.#connection, channel, ts, name) : null;
    this.#node.hidden = !ts;
    if (!ts) return this.#node.replaceChildren();
    const close = iconButton("close", "Close the thread");
    close.addEventListener("click", this.close);
    this.#node.replaceChildren(
      element("header", { class: "heading" }, element("h2", {}, "Thread ", element("small", {}, name)), close),
      this.#conversation.node,
    );
    if (matchMedia("(pointer: fine)").matches) this.#conversation.composer.field.focus();
  }

  changed(change) {
    this.#conversation?.changed(change);
  }
}

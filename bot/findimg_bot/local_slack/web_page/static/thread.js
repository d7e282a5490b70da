// The part of the page beside the channel: a thread, or the assistant panel.

import { Conversation } from "./conversation.js";
import { element, iconButton } from "./dom.js";
import { avatar } from "./message.js";

/** Shows one thread, or the direct message with the bot. */
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

  /** Return whether a channel's messages outside threads are shown here, as the assistant panel does. */
  shows(channel) {
    return this.isPanel && this.#conversation.channel === channel;
  }

  /** Return whether the assistant panel is open. */
  get isPanel() {
    return this.#conversation !== null && this.#conversation.thread === null;
  }

  /**
   * Show a thread, or nothing.
   * @param {string|null} ts of the thread's first message; null shows nothing
   */
  show(channel, ts, name) {
    if (ts) this.#open(channel, ts, name, ["Thread ", element("small", {}, name)]);
    else this.#hide();
  }

  /** Show the direct message with the bot. */
  showPanel(channel, name) {
    this.#open(channel, null, name, [avatar({ id: channel, is_bot: true }), name]);
  }

  #open(channel, ts, name, title) {
    const { channel: before, thread = undefined } = this.#conversation ?? {};
    if (before === channel && thread === ts) return;
    this.#conversation = new Conversation(this.#store, this.#connection, channel, ts, name);
    this.#node.hidden = false;
    this.#node.setAttribute("aria-label", ts ? "Thread" : `Assistant ${name}`);
    const close = iconButton("close", ts ? "Close the thread" : "Close the assistant");
    close.addEventListener("click", this.close);
    this.#node.replaceChildren(
      element("header", { class: "heading" }, element("h2", {}, title), close),
      this.#conversation.node,
    );
    if (matchMedia("(pointer: fine)").matches) this.#conversation.composer.field.focus();
  }

  #hide() {
    this.#conversation = null;
    this.#node.hidden = true;
    this.#node.replaceChildren();
  }

  changed(change) {
    this.#conversation?.changed(change);
  }
}

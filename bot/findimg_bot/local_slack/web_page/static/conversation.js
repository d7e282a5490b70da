// A channel or a thread: its messages and the message field below them.

import { Composer } from "./composer.js";
import { element } from "./dom.js";
import { Messages } from "./messages.js";
import { Panel } from "./panel.js";
import { takeDrops } from "./uploads.js";

/** Messages and composer of one channel or one thread. */
export class Conversation {
  #store;
  #connection;

  /** @param {string|null} thread ts of the thread's first message; null for the channel */
  constructor(store, connection, channel, thread, name) {
    this.#store = store;
    this.#connection = connection;
    this.channel = channel;
    this.thread = thread;
    const place = {
      channel,
      thread,
      act: (...used) => this.#act(...used),
      shortcut: (...used) => this.#shortcut(...used),
    };
    this.messages = new Messages(store, connection, place, thread ? "Thread" : `Messages in ${name}`);
    const label = thread ? "Reply…" : `Message ${name}`;
    this.composer = new Composer(store, connection, place, label, () => this.messages.follow());
    this.panel = store.hasPanel(channel) && !thread ? new Panel(store, channel, (text) => this.#say(text)) : null;
    this.node = element(
      "div",
      { class: "conversation" },
      this.messages.scroller,
      element("div", { class: "below" }, this.messages.newer, this.panel?.node, this.composer.node),
      element("p", { class: "drop", "aria-hidden": "true" }, `Drop it to send it to ${thread ? "the thread" : name}`),
    );
    takeDrops(this.node, (files) => this.composer.add(files));
    this.messages.update();
  }

  /** Apply a change of the store. */
  changed(change) {
    if (change.channel && change.channel !== this.channel) return;
    this.messages.update();
    this.panel?.update();
    if (change.type === "notice") this.composer.noticed(change.message.text);
    if (change.fresh && this.#holds(change.message)) this.messages.arrived();
  }

  #holds(message) {
    if (this.panel) return true;
    const thread = message.thread_ts && message.thread_ts !== message.ts ? message.thread_ts : null;
    return thread === this.thread;
  }

  async #say(text) {
    this.messages.follow();
    const answer = await this.#connection.request("/page/send", { channel: this.channel, text });
    if (!answer.ok) this.#store.notice(this.channel, answer.error);
  }

  async #act({ ts }, block, each, value) {
    this.messages.expecting = true;
    const answered = this.#store.answer(this.channel);
    const answer = await this.#connection.request("/page/action", {
      channel: this.channel,
      ts,
      block_id: block.block_id,
      action_id: each.action_id,
      value,
    });
    await this.#settled(answer, answered);
  }

  async #shortcut({ callback_id: callback }, message, node) {
    node.setAttribute("aria-busy", "true");
    this.messages.expecting = true;
    const answered = this.#store.answer(this.channel);
    const answer = await this.#connection.request("/page/shortcut", {
      callback_id: callback,
      channel: this.channel,
      ts: message.ts,
    });
    await this.#settled(answer, answered);
    node.removeAttribute("aria-busy");
  }

  async #settled(answer, answered) {
    if (answer.ok) await answered;
    this.messages.expecting = false;
    if (!answer.ok) this.#store.notice(this.channel, answer.error, this.thread);
  }
}

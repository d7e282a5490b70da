// The list of messages of a channel or a thread. New messages do not move what the person reads.

import { dateOf, dayText } from "./dates.js";
import { element, icon } from "./dom.js";
import { drawMessage } from "./message.js";

const GROUP_TIME = 300; // seconds; later messages of one person show the name again
const FOLLOW_DISTANCE = 60; // pixels; the list follows new messages if its end is at most this far away
const MARGIN = 12; // pixels above a message that is scrolled to

/** A scrolling list of messages. */
export class Messages {
  expecting = false; // whether an answer is expected; the list scrolls to it from anywhere
  #store;
  #connection;
  #place;
  #drawn = new Map(); // ts → {signature, node}
  #days = new Map(); // day → node
  #following = true;

  /** @param {object} place as for `drawMessage`, without `follows` and `replies` */
  constructor(store, connection, place, label) {
    this.#store = store;
    this.#connection = connection;
    this.#place = place;
    this.list = element("div", { class: "list", role: "feed", "aria-label": label });
    this.newer = element("button", { type: "button", class: "newer", hidden: true }, icon("down"), "New messages");
    this.scroller = element("div", { class: "scroller" }, this.list);
    this.newer.addEventListener("click", () => this.follow());
    this.scroller.addEventListener("scroll", () => this.#scrolled());
    this.list.addEventListener("keydown", (event) => this.#walk(event));
    const sizes = new ResizeObserver(() => this.#keep());
    sizes.observe(this.list);
    sizes.observe(this.scroller);
  }

  /** Draw the messages that have changed. */
  update() {
    const { channel, thread } = this.#place;
    const messages = thread ? this.#store.thread(channel, thread) : this.#store.shown(channel);
    const focused = this.#focused();
    let before = null;
    const nodes = [];
    for (const message of messages) {
      const day = dayText(dateOf(message.ts));
      if (!before || dayText(dateOf(before.ts)) !== day) {
        nodes.push(this.#day(day));
        before = null;
      }
      nodes.push(this.#message(message, before));
      before = message;
    }
    this.#arrange(nodes);
    const last = messages.at(-1)?.ts;
    for (const [ts, { node }] of this.#drawn) {
      if (node.isConnected) node.tabIndex = ts === last ? 0 : -1;
      else this.#drawn.delete(ts);
    }
    this.#refocus(focused);
    this.#keep();
  }

  /** Scroll to a new message, or show the button that does so. */
  arrived() {
    if (this.#following || this.expecting) this.follow();
    else this.newer.hidden = false;
  }

  /** Scroll to the newest message and follow later ones. */
  follow() {
    this.#following = true;
    this.expecting = false;
    this.newer.hidden = true;
    this.#keep();
  }

  #message(message, before) {
    const { channel, thread } = this.#place;
    const replies = thread ? [] : this.#store.replies(channel, message.ts);
    const follows =
      before?.user === message.user && !before.ephemeral && !message.ephemeral && message.ts - before.ts < GROUP_TIME;
    const signature = JSON.stringify([message, replies.length, follows]);
    const old = this.#drawn.get(message.ts);
    if (old?.signature === signature) return old.node;
    const node = drawMessage(message, this.#store, this.#connection, { ...this.#place, follows, replies });
    this.#drawn.set(message.ts, { signature, node });
    return node;
  }

  #day(day) {
    if (!this.#days.has(day)) this.#days.set(day, element("p", { class: "day" }, element("span", {}, day)));
    return this.#days.get(day);
  }

  /** Put the nodes into the list. Do not touch nodes that are in place, so that they keep focus and images. */
  #arrange(nodes) {
    const wanted = new Set(nodes);
    for (const node of [...this.list.children]) if (!wanted.has(node)) node.remove();
    nodes.forEach((node, at) => {
      if (this.list.children[at] !== node) this.list.insertBefore(node, this.list.children[at] ?? null);
    });
  }

  #focused() {
    const active = document.activeElement;
    const message = active?.closest?.(".message");
    return message && this.list.contains(message) ? { ts: message.dataset.ts, active } : null;
  }

  /** If the focused element was replaced, focus the new message and scroll to its top. */
  #refocus(focused) {
    if (!focused || focused.active.isConnected) return;
    const message = this.#drawn.get(focused.ts)?.node ?? this.list.lastElementChild;
    message?.focus({ preventScroll: true });
    if (message && message.getBoundingClientRect().top < this.scroller.getBoundingClientRect().top) {
      this.scroller.scrollTop = message.offsetTop - MARGIN;
    }
  }

  /** Return the scroll position that shows the end of the newest message, or its top if it is higher than the list. */
  get #target() {
    const { scrollHeight, clientHeight } = this.scroller;
    const top = (this.list.lastElementChild?.offsetTop ?? 0) - MARGIN;
    return Math.max(0, Math.min(scrollHeight - clientHeight, top));
  }

  #keep() {
    if (!this.#following) return;
    this.scroller.scrollTop = Math.max(this.scroller.scrollTop, this.#target);
  }

  #scrolled() {
    this.#following = this.scroller.scrollTop >= this.#target - FOLLOW_DISTANCE;
    if (this.#following) this.newer.hidden = true;
  }

  #walk(event) {
    const messages = [...this.list.querySelectorAll(".message")];
    const at = messages.indexOf(event.target);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: messages.length - 1 }[event.key];
    if (at < 0 || to === undefined || !messages[to]) return;
    event.preventDefault();
    messages[at].tabIndex = -1;
    messages[to].tabIndex = 0;
    messages[to].focus();
  }
}

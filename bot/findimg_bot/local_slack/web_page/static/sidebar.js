// The list of channels. On a phone it is a drawer that a button opens.

import { avatar } from "./message.js";
import { element, icon } from "./dom.js";
import { searchField } from "./functions.js";

/** The list of channels and direct messages, with the number of unread messages. */
export class Sidebar {
  #store;
  #connection;
  #searchField = null;
  #unread = new Map(); // channel → number of unread messages
  #veil = document.getElementById("veil");

  constructor(store, connection) {
    this.#store = store;
    this.#connection = connection;
    this.node = document.getElementById("sidebar");
    this.#veil.addEventListener("click", () => this.close());
    addEventListener("keydown", (event) => event.key === "Escape" && this.isOpen && this.close());
  }

  get unread() {
    return [...this.#unread.values()].reduce((sum, count) => sum + count, 0);
  }

  get isOpen() {
    return this.node.classList.contains("open");
  }

  /** Open the drawer. */
  open() {
    this.node.classList.add("open");
    this.#veil.hidden = false;
    this.node.querySelector("a[aria-current]").focus();
  }

  close() {
    this.node.classList.remove("open");
    this.#veil.hidden = true;
    document.querySelector("#main .drawer")?.focus();
  }

  count(channel) {
    this.#unread.set(channel, (this.#unread.get(channel) ?? 0) + 1);
  }

  /**
   * Draw the list.
   * @param {string} open the channel that is shown
   * @param {boolean} seen whether the person can see its messages
   */
  update(open, seen) {
    if (seen) this.#unread.delete(open);
    const { state } = this.#store;
    const channels = state.channels.filter((channel) => !channel.is_im);
    const direct = state.channels.filter((channel) => channel.is_im);
    const active = this.node.contains(document.activeElement) ? document.activeElement : null;
    const focused = active?.getAttribute("href");
    this.node.replaceChildren(
      element(
        "header",
        {},
        element("img", { src: "/page/static/icon.svg", alt: "", width: 32, height: 32 }),
        element("div", {}, element("h1", {}, `${state.team.name} workspace`), element("p", {}, "on this machine")),
      ),
      ...this.#search,
      ...this.#list("Channels", channels, open, (each) => icon(each.is_mpim ? "chat" : "channel")),
      ...this.#list("Apps", direct, open, () => avatar({ ...this.#store.user(state.bot.id), is_bot: true })),
      element("footer", {}, avatar(this.#store.user(state.me.id)), element("span", {}, state.me.name)),
    );
    if (active?.isConnected) active.focus();
    if (focused) this.node.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Return the search field, which keeps its text when the list is drawn again. An app without results has none. */
  get #search() {
    if (!this.#store.state.has_search) return [];
    this.#searchField ??= searchField(this.#store, this.#connection);
    return [this.#searchField];
  }

  #list(title, channels, open, mark) {
    const heading = `list-${title.toLowerCase()}`;
    const rows = channels.map((channel) => {
      const { id, name } = channel;
      const count = this.#unread.get(id);
      const row = element(
        "a",
        { href: `#${id}`, "aria-current": id === open ? "page" : null, class: count ? "unread" : null },
        mark(channel),
        element("span", {}, name),
        count && element("b", { class: "count", "aria-label": `${count} new` }, String(count)),
      );
      row.addEventListener("click", () => this.isOpen && this.close());
      return element("li", {}, row);
    });
    return [element("h2", { id: heading }, title), element("ul", { "aria-labelledby": heading }, rows)];
  }
}

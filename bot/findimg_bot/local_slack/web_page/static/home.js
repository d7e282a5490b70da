// The app's Home tab.

import { toast } from "./dialogs.js";
import { element } from "./dom.js";
import { View } from "./view.js";

const TIMEOUT = 5000; // milliseconds until the page reports that the bot has published no Home tab

/** Requests the bot's Home tab and shows it. */
export class Home {
  #store;
  #view;

  constructor(store, connection) {
    this.#store = store;
    this.#view = new View(store, connection, toast);
    this.waiting = element("p", { class: "faint", role: "status" }, "Opening the Home tab…");
    const section = element("section", { class: "home", "aria-label": "Home" }, this.waiting, this.#view.node);
    this.node = element("div", { class: "scroller" }, section);
    this.#update();
    this.#ask(connection);
  }

  changed(change) {
    if (change.type === "home" || change.type === "state") this.#update();
  }

  async #ask(connection) {
    const answer = await connection.request("/page/home", {});
    if (!answer.ok) this.waiting.textContent = answer.error;
    setTimeout(() => {
      if (answer.ok) this.waiting.textContent = `${this.#store.state.bot.name} has not published a Home tab.`;
    }, TIMEOUT);
  }

  #update() {
    const { home } = this.#store.state;
    this.waiting.hidden = Boolean(home);
    if (home) this.#view.update(home);
  }
}

// What the assistant panel shows beside the messages: what to ask, and what the bot does.

import { element } from "./dom.js";

/** The suggestions and the progress of a direct message. */
export class Panel {
  #store;
  #channel;
  #send;

  /** @param {function(string)} send sends a message of the person */
  constructor(store, channel, send) {
    this.#store = store;
    this.#channel = channel;
    this.#send = send;
    this.prompts = element("div", { class: "prompts", role: "group" });
    this.status = element("p", { class: "status faint", role: "status" });
    this.node = element("div", { class: "panel" }, this.status, this.prompts);
    this.update();
  }

  update() {
    const { state } = this.#store;
    const panel = state.panels[this.#channel] ?? { title: "", prompts: [], statuses: {} };
    this.status.textContent = Object.values(panel.statuses)
      .map((status) => `${state.bot.name} ${status}`)
      .join("\n");
    this.prompts.setAttribute("aria-label", panel.title || "Suggestions");
    this.prompts.replaceChildren(
      ...panel.prompts.map(({ title, message }) => {
        const button = element("button", { type: "button", class: "button" }, element("span", {}, title));
        button.addEventListener("click", () => this.#send(message));
        return button;
      }),
    );
  }
}

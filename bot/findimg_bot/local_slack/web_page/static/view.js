// The blocks of a modal or a Home tab, and their input values.

import { draw } from "./blocks.js";
import { element } from "./dom.js";

/** The blocks of a view. A block that an update does not change keeps its element, and so its input value. */
export class View {
  #store;
  #connection;
  #fail;
  #view;
  #drawn = new Map(); // block → {signature, node}
  #inputs = new Map();

  /** @param {function(string)} fail shows an error to the person */
  constructor(store, connection, fail) {
    this.#store = store;
    this.#connection = connection;
    this.#fail = fail;
    this.node = element("div", { class: "blocks" });
  }

  update(view) {
    this.#view = view;
    const context = {
      store: this.#store,
      connection: this.#connection,
      inputs: this.#inputs,
      act: (...used) => this.#act(...used),
    };
    const before = this.#drawn;
    this.#drawn = new Map();
    const nodes = view.blocks.map((block, number) => {
      const signature = JSON.stringify(block);
      const key = block.block_id ?? String(number);
      const old = before.get(key);
      const node = old?.signature === signature ? old.node : draw([block], context)[0];
      this.#drawn.set(key, { signature, node });
      return node;
    });
    const focused = document.activeElement?.dataset?.key;
    this.node.replaceChildren(...nodes);
    for (const [key, input] of this.#inputs) if (!this.node.contains(input.node)) this.#inputs.delete(key);
    if (focused) this.node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Return the input values as in Slack's `view.state.values`. */
  get values() {
    const values = {};
    for (const { block, action, read } of this.#inputs.values()) {
      (values[block.block_id] ??= {})[action] = read();
    }
    return values;
  }

  /** Return the inputs that are empty or invalid: a sentence by block_id. */
  get problems() {
    const problems = {};
    for (const { block, node, filled, problem } of this.#inputs.values()) {
      if (block.type !== "input") continue;
      const message = problem?.() || node.validationMessage;
      if (message) problems[block.block_id] = message;
      else if (!block.optional && !filled()) problems[block.block_id] = "Please fill this in.";
    }
    return problems;
  }

  /** Wait until the chosen files are uploaded. */
  async finishUploads() {
    await Promise.all([...this.#inputs.values()].map((input) => input.finish?.()));
  }

  /** Add files to the first file input. */
  addFiles(files) {
    [...this.#inputs.values()].find((input) => input.add)?.add(files);
  }

  /** Show errors at their blocks and focus the first. Return whether the view has such a block. */
  showErrors(errors) {
    let first = null;
    for (const place of this.node.querySelectorAll(".block.input")) {
      const text = errors[place.dataset.block];
      const error = place.querySelector(".error");
      const input = [...this.#inputs.values()].find(({ block }) => block.block_id === place.dataset.block)?.node;
      error.hidden = !text;
      error.textContent = text ?? "";
      input?.setAttribute("aria-invalid", String(Boolean(text)));
      if (!text) continue;
      input?.setAttribute("aria-describedby", error.id);
      first ??= input?.matches("input, textarea, select") ? input : input?.querySelector("button, input");
    }
    first?.focus();
    return first !== null;
  }

  async #act(block, each, value) {
    const answered = this.#store.answer();
    const answer = await this.#connection.request("/page/action", {
      view_id: this.#view.id,
      block_id: block.block_id,
      action_id: each.action_id,
      value,
      values: this.values,
    });
    if (answer.ok) await answered;
    else this.#fail(answer.error);
  }
}

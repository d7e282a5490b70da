// The list of commands or names that opens above the message field.

import { element } from "./dom.js";

let lastId = 0; // for the ids of lists

/** Completes words of a text field. The arrow keys choose an option, Enter or Tab takes it. */
export class Completion {
  #field;
  #offers;
  #chosen = 0;
  #options = [];

  /**
   * @param {HTMLTextAreaElement} field
   * @param {function(string): {start: number, options: object[]}|null} offers returns the options for
   *   the text before the caret. An option replaces the text from `start` by its `name`. It also has a `detail` and
   *   sometimes a `hint`.
   */
  constructor(field, offers) {
    this.#field = field;
    this.#offers = offers;
    this.id = `completion-${++lastId}`;
    const named = { class: "completion", role: "listbox", "aria-label": "Suggestions" };
    this.list = element("ul", { id: this.id, hidden: true, ...named });
    field.setAttribute("role", "combobox");
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.id);
    field.setAttribute("aria-expanded", "false");
    field.addEventListener("input", () => this.open());
    field.addEventListener("blur", () => this.close());
  }

  get isOpen() {
    return !this.list.hidden;
  }

  /** Open the list if there are options for the text before the caret, otherwise close it. */
  open() {
    const before = this.#field.value.slice(0, this.#field.selectionStart);
    const offered = this.#offers(before);
    if (!offered?.options.length) return this.close();
    this.#options = offered.options.map((option) => ({ ...option, start: offered.start }));
    this.list.replaceChildren(
      ...this.#options.map((option, number) => {
        const row = element(
          "li",
          { id: `${this.id}-${number}`, role: "option" },
          element("b", {}, option.name),
          element("span", { class: "faint" }, option.detail),
          option.hint && element("code", {}, option.hint),
        );
        row.addEventListener("pointerdown", (event) => {
          event.preventDefault(); // the field keeps the focus
          this.#take(option);
        });
        return row;
      }),
    );
    this.list.hidden = false;
    this.#field.setAttribute("aria-expanded", "true");
    this.#choose(0);
  }

  close() {
    this.list.hidden = true;
    this.#field.setAttribute("aria-expanded", "false");
    this.#field.removeAttribute("aria-activedescendant");
  }

  /** Handle a key press. Return whether the list has used it. */
  key(event) {
    if (!this.isOpen || event.isComposing) return false;
    const last = this.#options.length - 1;
    switch (event.key) {
      case "ArrowDown":
        this.#choose(this.#chosen === last ? 0 : this.#chosen + 1);
        return true;
      case "ArrowUp":
        this.#choose(this.#chosen === 0 ? last : this.#chosen - 1);
        return true;
      case "Escape":
        this.close();
        return true;
      case "Enter":
      case "Tab":
        if (event.shiftKey) return false;
        return this.#finish(this.#options[this.#chosen], event.key === "Enter");
      default:
        return false;
    }
  }

  #choose(number) {
    this.#chosen = number;
    [...this.list.children].forEach((row, at) => row.setAttribute("aria-selected", String(at === number)));
    this.list.children[number].scrollIntoView({ block: "nearest" });
    this.#field.setAttribute("aria-activedescendant", `${this.id}-${number}`);
  }

  /** Take an option. Return false if its name is already typed and Enter was pressed, so that Enter sends the text. */
  #finish(option, entered) {
    const written = this.#field.value.slice(option.start, this.#field.selectionStart);
    if (entered && written === option.name) {
      this.close();
      return false;
    }
    this.#take(option);
    return true;
  }

  #take({ start, name }) {
    this.#field.setRangeText(`${name} `, start, this.#field.selectionStart, "end");
    this.close();
    this.#field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

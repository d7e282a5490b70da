// The message field, with completion and attached files.

import { Completion } from "./completion.js";
import { element, icon, iconButton } from "./dom.js";
import { openStep } from "./functions.js";
import { openMenu } from "./menu.js";
import { chooser, takePastes, Uploads } from "./uploads.js";

const drafts = new Map(); // text that was typed but not sent, by channel and thread

/** The message field of a channel or a thread. */
export class Composer {
  #store;
  #connection;
  #place;
  #sent;
  #completion;

  /**
   * @param {{channel: string, thread: string|null}} place
   * @param {string} label of the field
   * @param {function()} sent is called when a message is sent
   */
  constructor(store, connection, place, label, sent) {
    this.#store = store;
    this.#connection = connection;
    this.#place = place;
    this.#sent = sent;
    this.uploads = new Uploads(connection, { bytes: store.state.limits.file_bytes });
    this.field = element("textarea", {
      rows: "1",
      "aria-label": label,
      placeholder: label,
      enterkeyhint: "send",
    });
    this.#completion = new Completion(this.field, (before) => this.#offers(before));
    this.hint = element("p", { class: "usage", hidden: true });
    this.problem = element("p", { class: "problem", role: "alert", hidden: true });
    this.send = iconButton("send", "Send", { type: "submit", class: "send", title: "Send (Enter)" });
    const row = element("div", { class: "row" }, this.#tools(), this.send);
    this.node = element(
      "form",
      { class: "composer", novalidate: true },
      this.#completion.list,
      element("div", { class: "card" }, this.hint, this.field, this.uploads.tiles, row),
      this.problem,
    );
    this.field.value = drafts.get(this.#key) ?? "";
    this.field.addEventListener("input", () => this.#typed());
    this.field.addEventListener("keydown", (event) => this.#pressed(event));
    takePastes(this.field, (files) => this.add(files));
    this.uploads.addEventListener("change", () => this.#typed());
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#typed();
  }

  /** Attach files to the message. */
  add(files) {
    this.uploads.add(files);
    this.field.focus();
  }

  /** Hide the problem if the conversation now shows the same sentence. */
  noticed(sentence) {
    if (this.problem.textContent === sentence) this.#say("");
  }

  get #key() {
    return `${this.#place.channel}/${this.#place.thread ?? ""}`;
  }

  #tools() {
    const button = iconButton("attach", "Attach files", { title: "Attach files (or paste or drop them)" });
    const input = chooser(button, { multiple: true }, (files) => this.add(files));
    const tool = (name, label, text) => {
      const made = iconButton(name, label);
      made.addEventListener("click", () => this.#insert(text));
      return made;
    };
    return [
      button,
      input,
      !this.#place.thread && tool("slash", "Commands", "/"),
      tool("mention", `Mention ${this.#store.state.bot.name}`, "@"),
      this.#shortcuts(),
    ];
  }

  /** Return the button for the global shortcuts, or null where the app has none. */
  #shortcuts() {
    const { state } = this.#store;
    if (!state.global_shortcuts.length && !state.steps.length) return null;
    const button = iconButton("wand", "Shortcuts", { "aria-haspopup": "menu", "aria-expanded": "false" });
    const entries = state.global_shortcuts.map((each) => ({
      text: each.name,
      detail: state.bot.name,
      icon: icon("wand"),
      run: () => this.#run(each),
    }));
    const steps = state.steps.map((step) => ({
      text: `Workflow step: ${step.title}`,
      detail: state.bot.name,
      icon: icon("wand"),
      run: () => openStep(step, this.#store, this.#connection),
    }));
    entries.push(...steps);
    button.addEventListener("click", () => openMenu(button, "Shortcuts", entries));
    return button;
  }

  async #run({ callback_id: callback }) {
    const answer = await this.#connection.request("/page/global_shortcut", { callback_id: callback });
    if (!answer.ok) this.#say(answer.error);
  }

  #insert(text) {
    const { field } = this;
    if (text === "/") field.setRangeText(text, 0, field.value.startsWith("/") ? field.value.length : 0, "end");
    else field.setRangeText(/\S$/.test(field.value) ? ` ${text}` : text, field.value.length, field.value.length, "end");
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** Return the options for completion: commands at the beginning, names after an @. */
  #offers(before) {
    const { state } = this.#store;
    const command = !this.#place.thread && /^\/\S*$/.exec(before);
    if (command) {
      const options = state.commands
        .filter((each) => each.command.startsWith(before.toLowerCase()))
        .map((each) => ({ name: each.command, hint: each.usage_hint, detail: each.description }));
      return { start: 0, options };
    }
    const name = /(?:^|\s)@(\S*)$/.exec(before);
    if (!name) return null;
    const options = Object.values(state.users)
      .filter((user) => user.name.toLowerCase().startsWith(name[1].toLowerCase()))
      .sort((one, other) => Number(other.is_bot) - Number(one.is_bot))
      .map((user) => ({ name: `@${user.name}`, detail: user.is_bot ? "app" : "" }));
    return { start: before.length - name[1].length - 1, options };
  }

  #typed() {
    const { field } = this;
    drafts.set(this.#key, field.value);
    const command = this.#command(field.value);
    this.hint.hidden = !command || !/\s/.test(field.value);
    if (command) {
      const usage = `${command.command} ${command.usage_hint ?? ""}`;
      this.hint.replaceChildren(command.description, " ", element("code", {}, usage));
    }
    this.send.disabled = this.uploads.busy || (!field.value.trim() && !this.uploads.ids.length);
    this.#say("");
  }

  #pressed(event) {
    if (this.#completion.key(event)) {
      event.preventDefault();
      event.stopPropagation(); // Escape closes the list, not the thread
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.node.requestSubmit();
    }
  }

  async #submit() {
    const text = this.field.value.trim();
    const sending = this.send.hasAttribute("aria-busy");
    if (this.send.disabled || (sending && !this.uploads.empty)) return;
    if (this.#command(text) && !this.uploads.empty) {
      this.#say("A command carries no file. Send the image as a message first, or take the file away.");
      return;
    }
    const { channel, thread } = this.#place;
    const message = { channel, text: this.#outgoing(text), files: this.uploads.ids };
    if (thread) message.thread_ts = thread;
    this.field.value = "";
    this.#typed();
    this.send.setAttribute("aria-busy", "true");
    this.#sent();
    const answered = this.#command(text) && this.#store.answer(channel);
    const answer = await this.#connection.request("/page/send", message);
    if (answer.ok) {
      this.uploads.sent(message.files);
      await answered;
    }
    this.send.removeAttribute("aria-busy");
    if (answer.ok) return;
    if (!this.field.value) this.field.value = text;
    this.#typed();
    if (!this.#store.isLastNotice(answer.error)) this.#say(answer.error);
  }

  /** Return the text as Slack's own clients send it: a message escaped and with user ids, a command as typed. */
  #outgoing(text) {
    if (this.#command(text)) return text;
    const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    const users = Object.values(this.#store.state.users);
    return escaped.replace(/(^|\s)@(\S+)/g, (whole, before, word) => {
      const user = users
        .filter(({ name }) => word.toLowerCase().startsWith(name.toLowerCase()))
        .sort((one, other) => other.name.length - one.name.length)[0];
      const rest = user && word.slice(user.name.length);
      return user && !/^\w/.test(rest) ? `${before}<@${user.id}>${rest}` : whole;
    });
  }

  #command(text) {
    const [word] = text.split(/\s/, 1);
    return this.#store.state.commands.find((each) => each.command === word);
  }

  #say(sentence) {
    this.problem.textContent = sentence;
    this.problem.hidden = !sentence;
  }
}

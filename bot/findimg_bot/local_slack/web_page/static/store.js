// The page's copy of the server's state.

const WORKSPACE = { id: "WORKSPACE", name: "Workspace", is_bot: true };
const ANSWER_TIMEOUT = 5000; // milliseconds to wait for a visible answer of the bot

/** Fires "change" with `{type, channel?, message?, fresh?}` when the state has changed. `fresh` marks a new message. */
export class Store extends EventTarget {
  state = null;
  #notices = []; // [channel, message]; the server does not store them

  /** Apply an update from the server. */
  apply(update) {
    switch (update.type) {
      case "state":
        this.state = update;
        for (const [channel, message] of this.#notices) this.#put(channel, message);
        this.#changed(update);
        break;
      case "message": {
        const fresh = this.#put(update.channel, update.message);
        this.#changed({ ...update, fresh });
        break;
      }
      case "deleted":
        this.state.messages[update.channel] = this.messages(update.channel).filter((each) => each.ts !== update.ts);
        this.#changed(update);
        break;
      case "notice":
        this.notice(update.channel, update.text, update.thread_ts);
        break;
      case "file":
        for (const channel of Object.keys(this.state.messages)) this.#ready(channel, update.file);
        break;
      case "panel":
        this.state.panels[update.channel] = update.panel;
        this.#changed(update);
        break;
      case "modal":
      case "home":
        this.state[update.type] = update.view;
        this.#changed(update);
    }
  }

  /** Add a notice to a channel that only this person sees. */
  notice(channel, text, thread) {
    const message = { ts: (Date.now() / 1000).toFixed(6), user: WORKSPACE.id, text, ephemeral: true, notice: true };
    if (thread) message.thread_ts = thread;
    this.#notices.push([channel, message]);
    this.#put(channel, message);
    this.#changed({ type: "notice", channel, message, fresh: true });
  }

  /** Resolve when the bot's answer is visible, or after `ANSWER_TIMEOUT`. */
  async answer(channel) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, ANSWER_TIMEOUT);
      const look = ({ detail }) => {
        if (channel && detail.channel && detail.channel !== channel) return;
        clearTimeout(timer);
        this.removeEventListener("change", look);
        resolve();
      };
      this.addEventListener("change", look);
    });
  }

  /** Return whether the last notice is this sentence. */
  isLastNotice(sentence) {
    return this.#notices.at(-1)?.[1].text === sentence;
  }

  messages(channel) {
    return this.state.messages[channel] ?? [];
  }

  /** Return whether a channel is the direct message that the assistant panel shows. */
  hasPanel(channel) {
    return this.state.has_panel && Boolean(this.channel(channel)?.is_im);
  }

  /** Return the messages of a channel outside threads, oldest first. The assistant panel shows threads as one list. */
  shown(channel) {
    if (this.hasPanel(channel)) return this.messages(channel);
    return this.messages(channel).filter((each) => !each.thread_ts || each.thread_ts === each.ts);
  }

  /** Return the messages of a thread, oldest first. */
  thread(channel, ts) {
    return this.messages(channel).filter((each) => each.ts === ts || each.thread_ts === ts);
  }

  replies(channel, ts) {
    if (this.hasPanel(channel)) return [];
    return this.messages(channel).filter((each) => each.thread_ts === ts && each.ts !== ts);
  }

  channel(id) {
    return this.state.channels.find((each) => each.id === id);
  }

  user(id) {
    return id === WORKSPACE.id ? WORKSPACE : (this.state.users[id] ?? { id, name: id ?? "unknown", is_bot: false });
  }

  /** Replace a file that the server has finished processing. */
  #ready(channel, file) {
    for (const message of this.messages(channel)) {
      if (!message.files?.some((each) => each.id === file.id)) continue;
      const files = message.files.map((each) => (each.id === file.id ? file : each));
      this.#put(channel, { ...message, files });
      this.#changed({ type: "file", channel });
    }
  }

  #put(channel, message) {
    const messages = [...this.messages(channel)];
    const at = messages.findIndex((each) => each.ts === message.ts);
    if (at >= 0) messages[at] = message;
    else messages.push(message);
    this.state.messages[channel] = messages.sort((one, other) => Number(one.ts) - Number(other.ts));
    return at < 0;
  }

  #changed(detail) {
    this.dispatchEvent(new CustomEvent("change", { detail }));
  }
}

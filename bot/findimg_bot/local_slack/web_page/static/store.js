// What the page knows: the server's state, kept up to date with what the server tells.

const WORKSPACE = { id: "WORKSPACE", name: "Workspace", is_bot: true };
const QUIET = 5000; // milliseconds after which a bot that acknowledged and said nothing is no longer waited for

/** Fires "change" with `{type, channel?, message?, fresh?}` whenever something is not as before. */
export class Store extends EventTarget {
  state = null;
  #notices = []; // [channel, message], which the server does not keep

  /** Takes in what the server told. */
  apply(told) {
    switch (told.type) {
      case "state":
        this.state = told;
        for (const [channel, message] of this.#notices) this.#put(channel, message);
        this.#changed(told);
        break;
      case "message": {
        const fresh = this.#put(told.channel, told.message);
        this.#changed({ ...told, fresh });
        break;
      }
      case "deleted":
        this.state.messages[told.channel] = this.messages(told.channel).filter((each) => each.ts !== told.ts);
        this.#changed(told);
        break;
      case "notice":
        this.notice(told.channel, told.text, told.thread_ts);
        break;
      case "file":
        for (const channel of Object.keys(this.state.messages)) this.#ready(channel, told.file);
        break;
      case "modal":
      case "home":
        this.state[told.type] = told.view;
        this.#changed(told);
    }
  }

  /** Tells the person something in a channel that nobody else sees. */
  notice(channel, text, thread) {
    const message = { ts: (Date.now() / 1000).toFixed(6), user: WORKSPACE.id, text, ephemeral: true, notice: true };
    if (thread) message.thread_ts = thread;
    this.#notices.push([channel, message]);
    this.#put(channel, message);
    this.#changed({ type: "notice", channel, message, fresh: true });
  }

  /** Resolves when the bot has done something that can be seen, or is unlikely to. */
  async answer(channel) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, QUIET);
      const look = ({ detail }) => {
        if (channel && detail.channel && detail.channel !== channel) return;
        clearTimeout(timer);
        this.removeEventListener("change", look);
        resolve();
      };
      this.addEventListener("change", look);
    });
  }

  /** Whether a sentence is the last that the person was told. */
  told(sentence) {
    return this.#notices.at(-1)?.[1].text === sentence;
  }

  messages(channel) {
    return this.state.messages[channel] ?? [];
  }

  /** The messages of a channel's main view, oldest first. */
  shown(channel) {
    return this.messages(channel).filter((each) => !each.thread_ts || each.thread_ts === each.ts);
  }

  /** A thread, its parent first. */
  thread(channel, ts) {
    return this.messages(channel).filter((each) => each.ts === ts || each.thread_ts === ts);
  }

  replies(channel, ts) {
    return this.messages(channel).filter((each) => each.thread_ts === ts && each.ts !== ts);
  }

  channel(id) {
    return this.state.channels.find((each) => each.id === id);
  }

  user(id) {
    return id === WORKSPACE.id ? WORKSPACE : (this.state.users[id] ?? { id, name: id ?? "unknown", is_bot: false });
  }

  /** A file that was sent is ready now. */
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

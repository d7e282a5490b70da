// The way to the server: one WebSocket on which it tells what happens, and requests for what the person does.

const FIRST_WAIT = 300; // milliseconds until a lost connection is tried again; doubled each time
const LONGEST_WAIT = 5000;

/** Fires "told" with each object that the server sends, and "status" with "open", "lost" or "ended". */
export class Connection extends EventTarget {
  #wait = FIRST_WAIT;

  constructor() {
    super();
    this.#open();
  }

  /**
   * Asks the server to do something.
   * @returns {Promise<{ok: boolean}>} never rejects: without a connection it is a sentence in `error`.
   */
  request(path, body) {
    return this.#fetch(path, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  }

  /** Uploads a file; it is in no message yet. */
  upload(file) {
    const form = new FormData();
    form.append("file", file, file.name);
    return this.#fetch("/page/upload", { body: form });
  }

  async #fetch(path, options) {
    try {
      const response = await fetch(path, { method: "POST", ...options });
      const text = await response.text();
      try {
        return JSON.parse(text);
      } catch {
        return { ok: false, error: text.slice(0, 300) || `The workspace answered with ${response.status}.` };
      }
    } catch {
      return { ok: false, error: "The workspace does not answer. Is findimg-bot still running?" };
    }
  }

  #open() {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/page/live`);
    socket.addEventListener("open", () => {
      this.#wait = FIRST_WAIT;
      this.#status("open");
    });
    socket.addEventListener("message", (event) => {
      this.dispatchEvent(new CustomEvent("told", { detail: JSON.parse(event.data) }));
    });
    socket.addEventListener("close", () => this.#retry());
  }

  async #retry() {
    this.#status("lost");
    await new Promise((resolve) => setTimeout(resolve, this.#wait));
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
    // A WebSocket does not say why it was refused; after a restart the server knows no session of before.
    const refused = await fetch("/page/state").then((response) => response.status === 403, () => false);
    if (refused) this.#status("ended");
    else this.#open();
  }

  #status(status) {
    this.dispatchEvent(new CustomEvent("status", { detail: status }));
  }
}

// The connection to the server: a WebSocket for updates, and HTTP requests for the person's actions.

const FIRST_WAIT = 300; // milliseconds before the first attempt to reconnect; doubled after each attempt
const LONGEST_WAIT = 5000; // milliseconds

/** Fires "update" with each object that the server sends, and "status" with "open", "lost" or "ended". */
export class Connection extends EventTarget {
  #wait = FIRST_WAIT;

  constructor() {
    super();
    this.#open();
  }

  /**
   * Send an action to the server.
   * @returns {Promise<{ok: boolean, error?: string}>} Never rejects. `error` is a sentence, also without a connection.
   */
  request(path, body) {
    return this.#fetch(path, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  }

  /** Upload a file that a later message will contain. */
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
      this.dispatchEvent(new CustomEvent("update", { detail: JSON.parse(event.data) }));
    });
    socket.addEventListener("close", () => this.#retry());
  }

  async #retry() {
    this.#status("lost");
    await new Promise((resolve) => setTimeout(resolve, this.#wait));
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
    // A WebSocket does not report why it was refused. A restarted server refuses the old session with 403.
    const refused = await fetch("/page/state").then((response) => response.status === 403, () => false);
    if (refused) this.#status("ended");
    else this.#open();
  }

  #status(status) {
    this.dispatchEvent(new CustomEvent("status", { detail: status }));
  }
}

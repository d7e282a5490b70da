// A small document for the page's functions that return nodes; it keeps the nodes and writes them as HTML.

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text) => String(text).replace(/[&<>"]/g, (character) => ESCAPES[character]);

class Text {
  constructor(data) {
    this.textContent = String(data);
  }

  get html() {
    return escaped(this.textContent);
  }
}

class Node {
  #name;
  #attributes = new Map();
  #children = [];

  constructor(name) {
    this.#name = name;
  }

  setAttribute(name, value) {
    this.#attributes.set(name, String(value));
  }

  addEventListener() {} // nothing happens in this document

  append(...children) {
    this.#children.push(...children.map((child) => (child.html === undefined ? new Text(child) : child)));
  }

  get textContent() {
    return this.#children.map((child) => child.textContent).join("");
  }

  get html() {
    const inner = this.#children.map((child) => child.html).join("");
    if (!this.#name) return inner;
    const attributes = [...this.#attributes].map(([name, value]) => ` ${name}="${escaped(value)}"`).join("");
    return `<${this.#name}${attributes}>${inner}</${this.#name}>`;
  }
}

globalThis.document = {
  createElement: (name) => new Node(name),
  createElementNS: (space, name) => new Node(name),
  createDocumentFragment: () => new Node(""),
  createTextNode: (text) => new Text(text),
  getElementById: () => new Node("div"),
};
globalThis.location = new URL("http://127.0.0.1:1234/");

export const PAGE = new URL("../../../../bot/findimg_bot/local_slack/web_page/static/", import.meta.url);

/** Import a module of the page. */
export const page = (name) => import(new URL(name, PAGE));

(await page("emoji.js")).addEmoji({ tada: "🎉" });

/** What the page knows of people and channels. */
export const store = {
  state: { me: { id: "U1" }, users: {}, channels: [] },
  user: (id) => ({ id, name: { U1: "you", U2: "findimg" }[id] ?? id }),
  channel: (id) => (id === "C1" ? { id, name: "general" } : undefined),
};

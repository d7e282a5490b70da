// Files that are attached to an unsent message, with their previews.

import { element, icon, iconButton } from "./dom.js";

/** Fires "change" when a file is added, removed or uploaded. */
export class Uploads extends EventTarget {
  #connection;
  #limits;
  #files = []; // {name, id?, error?, preview?, tile}
  #running = Promise.resolve();

  /** @param {{bytes: number, most?: number, types?: string[]}} limits `types` are file name endings */
  constructor(connection, limits) {
    super();
    this.#connection = connection;
    this.#limits = limits;
    this.tiles = element("ul", { class: "uploads", "aria-label": "Files to send", hidden: true });
  }

  /** Upload files and show them. */
  async add(files) {
    const added = Promise.all([...files].map((file) => this.#upload(file)));
    this.#running = Promise.all([this.#running, added]);
    await added;
  }

  get ids() {
    return this.#files.filter((file) => file.id).map((file) => file.id);
  }

  /** Return whether an upload is still running. */
  get busy() {
    return this.#files.some((file) => !file.id && !file.error);
  }

  /** Wait until no upload is running. */
  async finish() {
    await this.#running;
  }

  get error() {
    return this.#files.find((file) => file.error)?.error;
  }

  get empty() {
    return this.#files.length === 0;
  }

  /** Remove the files that were sent, and those with an error. */
  sent(ids) {
    for (const file of [...this.#files]) if (file.error || ids.includes(file.id)) this.#remove(file);
  }

  async #upload(file) {
    const entry = { name: file.name };
    const remove = iconButton("close", `Remove ${file.name}`, { class: "remove" });
    remove.addEventListener("click", () => this.#remove(entry));
    const status = element("span", { class: "upload-status" }, "Uploading…");
    const about = element("span", { class: "upload-about" }, element("b", {}, file.name), status);
    entry.tile = element("li", { class: "upload", "aria-busy": "true" }, this.#preview(file, entry), about, remove);
    entry.error = this.#refusal(file);
    this.#files.push(entry);
    this.tiles.append(entry.tile);
    this.#changed();
    if (!entry.error) {
      const answer = await this.#connection.upload(file);
      if (answer.ok) entry.id = answer.file.id;
      else entry.error = answer.error;
    }
    entry.tile.removeAttribute("aria-busy");
    entry.tile.classList.toggle("failed", Boolean(entry.error));
    status.textContent = entry.error ?? sizeText(file.size);
    this.#changed();
  }

  #preview(file, entry) {
    if (!file.type.startsWith("image/")) return icon("file");
    entry.preview = URL.createObjectURL(file);
    const image = element("img", { src: entry.preview, alt: "" });
    // Browsers cannot show some formats that the bot reads, such as HEIC.
    image.addEventListener("error", () => image.replaceWith(icon("file")));
    return image;
  }

  #refusal(file) {
    const { bytes, most, types } = this.#limits;
    if (most && this.#files.filter((each) => !each.error).length >= most) {
      return `Only ${most === 1 ? "one file is" : `${most} files are`} taken. Remove one first.`;
    }
    if (types?.length && !types.includes(file.name.split(".").at(-1).toLowerCase())) {
      return `Only ${types.join(", ")} files are taken.`;
    }
    if (file.size > bytes) return `The file has ${sizeText(file.size)}. The limit is ${sizeText(bytes)}.`;
    return null;
  }

  #remove(entry) {
    if (entry.preview) URL.revokeObjectURL(entry.preview);
    this.#files = this.#files.filter((file) => file !== entry);
    entry.tile.remove();
    this.#changed();
  }

  #changed() {
    this.tiles.hidden = this.empty;
    this.dispatchEvent(new Event("change"));
  }
}

/** Accept files that are dropped on an element. Highlight it while files are over it. */
export function takeDrops(place, add) {
  let depth = 0; // dragenter and dragleave also fire for each inner element
  const over = (event, step) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    depth = Math.max(0, depth + step);
    place.classList.toggle("dropping", depth > 0);
  };
  place.addEventListener("dragenter", (event) => over(event, 1));
  place.addEventListener("dragleave", (event) => over(event, -1));
  place.addEventListener("dragover", (event) => over(event, 0));
  place.addEventListener("drop", (event) => {
    over(event, -depth);
    if (event.dataTransfer.files.length) add(event.dataTransfer.files);
  });
}

/** Accept files that are pasted into a field. */
export function takePastes(field, add) {
  field.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    add(event.clipboardData.files);
  });
}

/** Return a hidden file input, and let a button open its file chooser. */
export function chooser(button, attributes, add) {
  const unseen = { class: "unseen", tabindex: "-1", "aria-hidden": "true" };
  const input = element("input", { type: "file", ...unseen, ...attributes });
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  button.addEventListener("click", () => input.click());
  return input;
}

/** Return a number of bytes as text. */
export function sizeText(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

// Create DOM elements. Text of people and bots is added as text nodes only, so it cannot become markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Return a new element.
 * @param {string} name
 * @param {Object<string, *>} attributes `on` maps events to listeners. True sets an empty attribute. False, null and
 *   undefined set none.
 * @param {...(Node|string|null|undefined|false|Array)} children
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value === true) {
      made.setAttribute(key, "");
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(key, value);
    }
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const STROKES = {
  channel: "M9.5 4L7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16",
  chat: "M4 5.5h16v11H11l-4.5 4v-4H4z",
  reply: "M9.5 6L4 11.5 9.5 17M4.5 11.5H14a6 6 0 0 1 6 6V19",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  close: "M6 6l12 12M18 6L6 18",
  drawer: "M4 7h16M4 12h16M4 17h16",
  attach: "M19.5 11.5l-7.8 7.8a5 5 0 0 1-7-7l8.6-8.6a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.6 1.6 0 0 1-2.3-2.3l7.7-7.7",
  slash: "M15.5 4l-7 16",
  mention: "M15.8 12a3.8 3.8 0 1 1-7.6 0 3.8 3.8 0 0 1 7.6 0zm0-3.8v5a2.6 2.6 0 0 0 5.2 0V12a9 9 0 1 0-3.5 7.1",
  send: "M4.5 4.5L20.5 12l-16 7.5 2.5-7.5zM7 12h7",
  eye: "M2.5 12S6 5.5 12 5.5s9.5 6.5 9.5 6.5-3.5 6.5-9.5 6.5S2.5 12 2.5 12zM12 11.5v1",
  file: "M6 3.5h8l4.5 4.5v12.5H6zM14 3.5V8h4.5",
  down: "M12 5v14M6 13l6 6 6-6",
  wand: "M4 20L15 9M17.5 3.5v4M15.5 5.5h4M20 11v3M18.5 12.5h3M10 3.5v3M8.5 5h3",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4.2 4.2 0 0 0-6-6l-1.5 1.5M14 10a4 4 0 0 0-6-.4l-3 3a4.2 4.2 0 0 0 6 6l1.5-1.5",
  search: "M16.5 16.5L21 21M18 10.5a7.5 7.5 0 1 1-15 0 7.5 7.5 0 0 1 15 0z",
  copy: "M8.5 8.5v-5h12v12h-5M3.5 8.5h12v12h-12z",
};

/** Return a new icon that screen readers ignore. */
export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("class", `icon icon-${name}`);
  drawing.setAttribute("aria-hidden", "true");
  path.setAttribute("d", STROKES[name]);
  drawing.append(path);
  return drawing;
}

/** Return a new button that shows only an icon. */
export function iconButton(name, label, attributes = {}) {
  const all = { type: "button", class: "quiet", "aria-label": label, title: label, ...attributes };
  return element("button", all, icon(name));
}

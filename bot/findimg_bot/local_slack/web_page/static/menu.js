// Menus that open beside a button.

import { element } from "./dom.js";

/**
 * Open a menu beside a button. A choice, Escape, Tab or a click elsewhere closes it. The focus then returns to the
 * button.
 * @param {HTMLElement} anchor the button
 * @param {string} label
 * @param {Array<{text: string, detail?: string, icon?: Node, run: function}|null>} entries
 *   null draws a line between groups
 */
export function openMenu(anchor, label, entries) {
  const menu = element("div", { role: "menu", class: "menu", "aria-label": label, popover: "auto" });
  const items = [];
  for (const entry of entries) {
    if (!entry) {
      menu.append(element("hr", { role: "separator" }));
      continue;
    }
    const text = element("span", {}, entry.text, entry.detail && element("small", {}, entry.detail));
    const item = element("button", { type: "button", role: "menuitem", tabindex: "-1" }, entry.icon, text);
    item.addEventListener("click", () => {
      menu.hidePopover();
      entry.run();
    });
    item.addEventListener("pointerenter", () => item.focus({ preventScroll: true }));
    items.push(item);
    menu.append(item);
  }
  menu.addEventListener("keydown", (event) => {
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key] ?? initial(event.key, items, at);
    if (event.key === "Tab") menu.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    items.at(to % items.length).focus();
  });
  menu.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    anchor.setAttribute("aria-expanded", "false");
    menu.remove();
  });
  // Do not add the menu beside the button: it would disappear when the message is drawn again. While a modal is open,
  // only its own content can be used.
  (anchor.closest("dialog") ?? document.body).append(menu);
  anchor.setAttribute("aria-expanded", "true");
  menu.showPopover();
  place(menu, anchor);
  items[0].focus({ preventScroll: true });
}

/** Return the position of the next item after `at` that begins with the typed letter, or undefined. */
function initial(key, items, at) {
  if (key.length !== 1 || key === " ") return undefined;
  const order = [...items.keys()].map((number) => (at + 1 + number) % items.length);
  return order.find((number) => items[number].textContent.toLowerCase().startsWith(key.toLowerCase()));
}

function place(menu, anchor) {
  const edge = 8;
  const button = anchor.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = button.bottom + 4;
  const top = below + height > innerHeight - edge ? button.top - height - 4 : below;
  menu.style.left = `${Math.max(edge, Math.min(button.right - width, innerWidth - width - edge))}px`;
  menu.style.top = `${Math.max(edge, top)}px`;
}

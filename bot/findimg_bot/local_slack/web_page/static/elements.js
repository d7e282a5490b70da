// Block Kit's interactive elements: show them, read their values, and send the person's actions to the bot.

import { confirmed } from "./dialogs.js";
import { element, iconButton } from "./dom.js";
import { openMenu } from "./menu.js";
import { textObject } from "./mrkdwn.js";
import { chooser, takeDrops, Uploads } from "./uploads.js";

const INPUTS = {
  plain_text_input: "text",
  email_text_input: "email",
  url_text_input: "url",
  number_input: "number",
  datepicker: "date",
  timepicker: "time",
};
const INITIAL = { datepicker: "initial_date", timepicker: "initial_time" };
const SELECTED = { datepicker: "selected_date", timepicker: "selected_time" };
const MOST_FILES = 10;

/**
 * What the elements of a message or view need.
 * @typedef {object} Context
 * @property {import("./store.js").Store} store
 * @property {import("./connection.js").Connection} connection
 * @property {function(object, object, *): Promise<void>} act sends an action (block, element, value) to the bot and
 *   resolves when the bot has answered
 * @property {Map<string, Input>} inputs of a view by `keyOf`; undefined in a message
 *
 * The state of an element that a person can fill in.
 * @typedef {object} Input
 * @property {Node} node
 * @property {function(): object} read returns the value as in Slack's `view.state.values`
 * @property {function(): boolean} filled returns whether there is a value
 */

/**
 * Return the node of an interactive element.
 * @param {string|null} label id of the node that contains the element's label
 * @returns {Node|null} null if the page does not know the element's type
 */
export function interactive(block, each, context, label = null) {
  switch (each.type) {
    case "button":
      return button(block, each, context);
    case "overflow":
      return overflow(block, each, context);
    case "static_select":
    case "multi_static_select":
    case "users_select":
    case "channels_select":
    case "conversations_select":
      return select(block, each, context, label);
    case "checkboxes":
    case "radio_buttons":
      return choices(block, each, context, label);
    case "file_input":
      return files(block, each, context, label);
    default:
      return each.type in INPUTS ? typed(block, each, context, label) : null;
  }
}

/** Return a key that is unique among the elements of a message or view. */
export const keyOf = (block, each) => `${block.block_id}/${each.action_id}`;

function button(block, each, context) {
  const text = textObject(each.text, context.store);
  const attributes = {
    class: `button ${each.style ?? ""}`,
    "data-key": keyOf(block, each),
    "aria-label": each.accessibility_label,
  };
  if (each.url && URL.canParse(each.url) && /^https?:$/.test(new URL(each.url).protocol)) {
    const opened = element("a", { ...attributes, href: each.url, target: "_blank", rel: "noopener noreferrer" }, text);
    opened.addEventListener("click", () => context.act(block, each));
    return opened;
  }
  const made = element("button", { ...attributes, type: "button" }, element("span", {}, text));
  made.addEventListener("click", () => use(made, block, each, context));
  return made;
}

function overflow(block, each, context) {
  const attributes = { class: "button overflow", "data-key": keyOf(block, each), "aria-haspopup": "menu" };
  const made = iconButton("more", "More", attributes);
  made.addEventListener("click", () => {
    const entries = each.options.map((option) => ({
      text: textObject(option.text, context.store),
      run: () => use(made, block, each, context, option.value),
    }));
    openMenu(made, "More", entries);
  });
  return made;
}

/** Send an action to the bot. The element is shown as busy until the bot has answered. */
async function use(node, block, each, context, value) {
  if (node.getAttribute("aria-busy") === "true") return;
  if (each.confirm && !(await confirmed(each.confirm, context.store))) return;
  node.setAttribute("aria-busy", "true");
  await context.act(block, each, value);
  node.removeAttribute("aria-busy");
}

function select(block, each, context, label) {
  const { store } = context;
  const groups = each.option_groups ?? [{ options: each.options ?? listed(each, store) }];
  const many = each.type === "multi_static_select";
  const here = each.default_to_current_conversation ? currentChannel(store) : undefined;
  const one =
    each.initial_option?.value ?? each.initial_user ?? each.initial_channel ?? each.initial_conversation ?? here;
  const initial = new Set([one, ...(each.initial_options ?? []).map((option) => option.value)]);
  const prompt = each.placeholder?.text ?? "Choose…";
  const named = label ? { "aria-labelledby": label } : { "aria-label": prompt };
  const node = element("select", { "data-key": keyOf(block, each), multiple: many, ...named });
  if (!many) node.append(element("option", { value: "" }, prompt));
  const options = new Map();
  for (const group of groups) {
    const made = group.options.map((option) => {
      options.set(option.value, option);
      return element("option", { value: option.value, selected: initial.has(option.value) }, option.text.text);
    });
    if (group.label) node.append(element("optgroup", { label: group.label.text }, made));
    else node.append(...made);
  }
  const read = () => {
    if (!each.type.endsWith("static_select")) {
      return { type: each.type, [each.type.replace(/(.*)s_select/, "selected_$1")]: node.value || null };
    }
    const chosen = [...node.selectedOptions].map(({ value }) => options.get(value)).filter(Boolean);
    const selected = chosen.map(({ text, value }) => ({ text, value }));
    return many
      ? { type: each.type, selected_options: selected }
      : { type: each.type, selected_option: selected[0] ?? null };
  };
  const value = () => (many ? [...node.selectedOptions].map((option) => option.value) : node.value);
  return stateful(block, each, context, node, { read, filled: () => node.value !== "" }, value);
}

/** Return the channel that the page shows. */
function currentChannel(store) {
  const id = location.hash.slice(1).split("/")[0];
  return (store.channel(id) ?? store.state.channels[0]).id;
}

/** Return whether a menu of conversations offers a channel, by the menu's filter. */
function isOffered({ include, exclude_external_shared_channels: own, exclude_bot_users: people }, channel) {
  const kind = channel.is_im ? "im" : channel.is_mpim ? "mpim" : channel.is_private ? "private" : "public";
  if (include && !include.includes(kind)) return false;
  return !(own && channel.is_ext_shared) && !(people && channel.is_im);
}

/** Return the people or channels to choose from. */
function listed({ type, filter = {} }, store) {
  const people = Object.values(store.state.users).map((user) => ({ value: user.id, text: { text: user.name } }));
  const places = store.state.channels.filter((each) => isOffered(filter, each)).map((each) => ({
    value: each.id,
    text: { text: each.is_im || each.is_mpim ? each.name : `#${each.name}` },
  }));
  return type === "users_select" ? people : places;
}

function choices(block, each, context, label) {
  const many = each.type === "checkboxes";
  const initial = new Set([...(each.initial_options ?? []), each.initial_option].map((option) => option?.value));
  const name = `${keyOf(block, each)}/${context.store.state.me.id}`;
  const boxes = each.options.map((option) => {
    const box = element("input", {
      type: many ? "checkbox" : "radio",
      name,
      value: option.value,
      checked: initial.has(option.value),
    });
    const about = option.description && element("small", {}, textObject(option.description, context.store));
    const text = element("span", {}, textObject(option.text, context.store), about);
    return { option, box, row: element("label", {}, box, text) };
  });
  const node = element(
    "div",
    { role: many ? "group" : "radiogroup", class: "choices", "data-key": keyOf(block, each), "aria-labelledby": label },
    boxes.map(({ row }) => row),
  );
  const chosen = () =>
    boxes.filter(({ box }) => box.checked).map(({ option }) => ({ text: option.text, value: option.value }));
  const read = () =>
    many
      ? { type: each.type, selected_options: chosen() }
      : { type: each.type, selected_option: chosen()[0] ?? null };
  const value = () => (many ? chosen().map((option) => option.value) : chosen()[0]?.value);
  return stateful(block, each, context, node, { read, filled: () => chosen().length > 0 }, value);
}

function typed(block, each, context, label) {
  const attributes = {
    "data-key": keyOf(block, each),
    "aria-labelledby": label,
    placeholder: each.placeholder?.text,
    minlength: each.min_length,
    maxlength: each.max_length,
  };
  const initial = each.initial_value ?? each[INITIAL[each.type]] ?? "";
  let node;
  if (each.multiline) {
    node = element("textarea", { ...attributes, rows: "4" });
  } else {
    const step = each.is_decimal_allowed ? "any" : null;
    node = element("input", { ...attributes, type: INPUTS[each.type], min: each.min_value, max: each.max_value, step });
  }
  node.value = initial;
  const read = () => ({ type: each.type, [SELECTED[each.type] ?? "value"]: node.value || null });
  return stateful(block, each, context, node, { read, filled: () => node.value !== "" }, () => node.value);
}

function files(block, each, context, label) {
  const most = each.max_files ?? MOST_FILES;
  const types = each.filetypes?.map((type) => type.toLowerCase().replace(/^\./, ""));
  const uploads = new Uploads(context.connection, { bytes: context.store.state.limits.file_bytes, most, types });
  const accept = types?.map((type) => `.${type}`).join(",");
  const add = (chosen) => uploads.add(chosen);
  const attributes = { type: "button", class: "button", "data-key": keyOf(block, each) };
  const choose = element("button", attributes, most === 1 ? "Choose a file…" : "Choose files…");
  const input = chooser(choose, { accept, multiple: most > 1 }, add);
  const note = element("span", { class: "faint" }, "or drop or paste it here");
  const node = element(
    "div",
    { class: "file-input", role: "group", "aria-labelledby": label },
    element("p", {}, choose, " ", note, input),
    uploads.tiles,
  );
  takeDrops(node, add);
  const made = {
    read: () => ({ type: "file_input", files: uploads.ids }),
    filled: () => !uploads.empty,
    problem: () => uploads.error ?? null,
    finish: () => uploads.finish(),
    add,
  };
  return stateful(block, each, context, node, made, () => uploads.ids);
}

/** Register an element's value for the view's submission. Send each change to the bot if the block asks for that. */
function stateful(block, each, context, node, input, value) {
  context.inputs?.set(keyOf(block, each), { ...input, node, block, action: each.action_id });
  if (block.type === "input" && !block.dispatch_action) return node;
  if (each.dispatch_action_config?.trigger_actions_on?.includes("on_enter_pressed")) {
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing || event.shiftKey) return;
      event.preventDefault(); // the form is not submitted
      use(node, block, each, context, value());
    });
  } else {
    node.addEventListener("change", () => use(node, block, each, context, value()));
  }
  return node;
}

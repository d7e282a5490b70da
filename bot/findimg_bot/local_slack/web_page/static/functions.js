// Functions of the app: its results in Slack's search, and its steps for workflows.

import { show } from "./dialogs.js";
import { element, icon, iconButton } from "./dom.js";
import { link, mrkdwn } from "./mrkdwn.js";

let lastId = 0; // for the ids of labels

/** Return the search field, whose results open in a dialog. */
export function searchField(store, connection) {
  const { name } = store.state.bot;
  const field = element("input", { type: "search", placeholder: `Search with ${name}`, "aria-label": `Search with ${name}` });
  const form = element("form", { role: "search", class: "search" }, icon("search"), field);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!field.value.trim() || form.hasAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    const answer = await connection.request("/page/search", { query: field.value.trim() });
    form.removeAttribute("aria-busy");
    openDialog(`Results for “${field.value.trim()}”`, answer.ok ? results(answer.results) : [problem(answer.error)]);
  });
  return form;
}

/** Open the dialog that runs a step, as a workflow does. */
export function openStep(step, store, connection) {
  const fields = step.inputs.map((input) => stepField(input));
  const outputs = element("div", { class: "outputs", role: "status" });
  const run = element("button", { type: "submit", class: "button primary" }, element("span", {}, "Run the step"));
  const form = element("form", { class: "step" }, fields.map((each) => each.node), run, outputs);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (run.hasAttribute("aria-busy")) return;
    run.setAttribute("aria-busy", "true");
    const inputs = Object.fromEntries(fields.map((each) => each.read()).filter(([, value]) => value !== null));
    const answer = await connection.request("/page/step", { callback_id: step.callback_id, inputs });
    run.removeAttribute("aria-busy");
    outputs.replaceChildren(...(answer.ok ? shownOutputs(answer.outputs, store) : [problem(answer.error)]));
  });
  openDialog(`Workflow step: ${step.title}`, [form]);
}

function stepField({ name, title, description, type, is_required: required }) {
  const id = `step-${++lastId}`;
  const number = type === "integer" || type === "number";
  const field = element("input", { id, required, type: number ? "number" : "text", placeholder: description });
  const label = element("label", { class: "label", for: id }, title, !required && element("span", { class: "faint" }, " (optional)"));
  const read = () => [name, field.value === "" ? null : number ? Number(field.value) : field.value];
  return { node: element("div", { class: "block input" }, label, field), read };
}

function shownOutputs(outputs, store) {
  const rows = Object.entries(outputs).map(([name, value]) => [
    element("dt", {}, name),
    element("dd", { class: "text" }, mrkdwn(String(value), store)),
  ]);
  return [element("dl", {}, rows.flat())];
}

function results(found) {
  if (!found.length) return [element("p", { class: "faint" }, "No results.")];
  const rows = found.map((each) =>
    element(
      "li",
      {},
      element("b", {}, link(each.link, each.title) ?? each.title),
      element("p", {}, each.description),
      element("small", {}, each.date_updated),
    ),
  );
  return [element("ol", { class: "results" }, rows)];
}

function problem(sentence) {
  return element("p", { class: "problem", role: "alert" }, sentence);
}

function openDialog(title, content) {
  const close = iconButton("close", "Close");
  const id = `dialog-${++lastId}`;
  const dialog = element(
    "dialog",
    { class: "dialog functions", "aria-labelledby": id },
    element("header", {}, element("h2", { id }, title), close),
    element("div", { class: "inside" }, content),
  );
  close.addEventListener("click", () => dialog.close());
  show(dialog);
}

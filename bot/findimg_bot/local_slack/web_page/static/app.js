// The entry point: connects the page's parts and shows the conversation that the address names.

import { Channel } from "./channel.js";
import { Connection } from "./connection.js";
import { addEmoji } from "./emoji.js";
import { announcement } from "./message.js";
import { Modal } from "./modal.js";
import { Sidebar } from "./sidebar.js";
import { Store } from "./store.js";
import { Thread } from "./thread.js";

const BANNERS = {
  lost: "The connection to the workspace is lost. Trying again…",
  ended: "The workspace was restarted. Open the address that findimg-bot printed.",
};

const answer = await fetch("/page/emoji");
if (answer.ok) addEmoji(await answer.json());

const store = new Store();
const connection = new Connection();
const sidebar = new Sidebar(store, connection);
const modal = new Modal(store, connection);
const thread = new Thread(store, connection, leaveThread);
const main = document.getElementById("main");
const banner = document.getElementById("connection");
const announcer = document.getElementById("announcer");
let channel = null;
let assistantBeside = null; // the channel beside the open assistant panel

connection.addEventListener("update", ({ detail }) => store.apply(detail));
connection.addEventListener("status", ({ detail }) => {
  banner.hidden = detail === "open";
  banner.textContent = BANNERS[detail] ?? "";
});
store.addEventListener("change", ({ detail }) => changed(detail));
addEventListener("hashchange", () => store.state && show());
// Without this, the browser would leave the page to open a file that is dropped outside a conversation.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the link's address would replace the conversation's
  channel?.focus();
});

function changed(change) {
  if (change.fresh) announce(change);
  // The address may name a thread whose first message has just arrived or was just deleted.
  if (change.type === "state" || change.type === "deleted" || change.fresh) show();
  if (change.type === "modal" || change.type === "state") modal.update();
  channel?.changed(change);
  thread.changed(change);
}

/** Show what the address names: `#channel`, `#channel/home`, `#channel/ts` for a thread, or `#channel/assistant`. */
function show() {
  const [id, rest] = location.hash.slice(1).split("/");
  const open = store.channel(id) ? id : store.state.channels[0].id;
  const home = rest === "home" && store.channel(open).is_im;
  // The assistant panel stays open beside the next channel.
  if (assistantBeside && !rest && open !== assistantBeside && !store.channel(open).is_im) {
    location.replace(`#${open}/assistant`);
    return;
  }
  if (channel?.id !== open || channel.home !== home) {
    channel = new Channel(store, connection, open, home, () => sidebar.open());
    main.replaceChildren(...channel.nodes);
    if (store.hasPanel(open) && !home) connection.request("/page/home", { tab: "messages" });
    if (matchMedia("(pointer: fine)").matches) channel.focus(); // on a touch screen, this would open the keyboard
  }
  const ts = !home && store.messages(open).some((message) => message.ts === rest) ? rest : null;
  if (rest === "assistant" && store.state.has_panel && !store.channel(open).is_im) showAssistant(open);
  else {
    if (thread.isPanel) closeAssistant();
    thread.show(open, ts, channel.name);
  }
  update();
}

/** Show the assistant panel beside a channel, and tell the bot which one that is. */
function showAssistant(beside) {
  const direct = store.state.channels.find((each) => each.is_im);
  if (!thread.isPanel) connection.request("/page/home", { tab: "messages", beside });
  else if (assistantBeside !== beside) connection.request("/page/look", { channel: beside });
  assistantBeside = beside;
  thread.showPanel(direct.id, direct.name);
}

function closeAssistant() {
  assistantBeside = null;
  connection.request("/page/look", {});
}

/** Announce a new message to screen readers, and count it as unread in the list of channels. */
function announce({ channel: id, message }) {
  if (message.user === store.state.me.id) return;
  announcer.append(Object.assign(document.createElement("p"), { textContent: announcement(message, store) }));
  while (announcer.childElementCount > 5) announcer.firstChild.remove();
  if (!thread.shows(id)) sidebar.count(id);
}

function update() {
  sidebar.update(channel.id, !channel.home && !document.hidden);
  const unread = sidebar.unread ? `(${sidebar.unread}) ` : "";
  document.title = `${unread}${channel.name} · ${store.state.team.name} workspace`;
}

function leaveThread() {
  location.hash = channel.id;
  channel.focus();
}

document.addEventListener("visibilitychange", () => channel && update());

// The page of the workspace: what is shown, and where its parts meet.

import { Channel } from "./channel.js";
import { Connection } from "./connection.js";
import { addEmoji } from "./emoji.js";
import { spoken } from "./message.js";
import { Modal } from "./modal.js";
import { Sidebar } from "./sidebar.js";
import { Store } from "./store.js";
import { Thread } from "./thread.js";

const BANNERS = {
  lost: "The connection to the workspace is lost. Trying again…",
  ended: "The workspace was started anew. Open the address that findimg-bot printed.",
};

const answer = await fetch("/page/emoji");
if (answer.ok) addEmoji(await answer.json());

const store = new Store();
const connection = new Connection();
const sidebar = new Sidebar(store);
const modal = new Modal(store, connection);
const thread = new Thread(store, connection, leaveThread);
const main = document.getElementById("main");
const banner = document.getElementById("connection");
const announcer = document.getElementById("announcer");
let channel = null;

connection.addEventListener("told", ({ detail }) => store.apply(detail));
connection.addEventListener("status", ({ detail }) => {
  banner.hidden = detail === "open";
  banner.textContent = BANNERS[detail] ?? "";
});
store.addEventListener("change", ({ detail }) => changed(detail));
addEventListener("hashchange", () => store.state && show());
// A file that is dropped beside a conversation would be opened in the page's place.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is where the page is
  channel?.focus();
});

function changed(change) {
  if (change.fresh) came(change);
  // The address may name a thread whose message only now came, or is gone.
  if (change.type === "state" || change.type === "deleted" || change.fresh) show();
  if (change.type === "modal" || change.type === "state") modal.update();
  channel?.changed(change);
  thread.changed(change);
}

/** Shows what the address says: `#channel`, `#channel/home` or `#channel/ts of a thread`. */
function show() {
  const [id, rest] = location.hash.slice(1).split("/");
  const open = store.channel(id) ? id : store.state.channels[0].id;
  const home = rest === "home" && store.channel(open).is_im;
  if (channel?.id !== open || channel.home !== home) {
    channel = new Channel(store, connection, open, home, () => sidebar.open());
    main.replaceChildren(...channel.nodes);
    if (matchMedia("(pointer: fine)").matches) channel.focus(); // a touch screen would show its keyboard
  }
  const ts = !home && store.messages(open).some((message) => message.ts === rest) ? rest : null;
  thread.show(open, ts, channel.name);
  update();
}

/** Tells of a new message: to those who listen, and in the list of channels. */
function came({ channel: id, message }) {
  if (message.user === store.state.me.id) return;
  announcer.append(Object.assign(document.createElement("p"), { textContent: spoken(message, store) }));
  while (announcer.childElementCount > 5) announcer.firstChild.remove();
  sidebar.count(id);
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

// The main part of the page: a heading, and below it a conversation or the app's Home tab.

import { Conversation } from "./conversation.js";
import { element, icon, iconButton } from "./dom.js";
import { Home } from "./home.js";
import { avatar } from "./message.js";

/** A channel or direct message with its heading. */
export class Channel {
  /**
   * @param {string} id of the channel
   * @param {boolean} home whether to show the Home tab (only in the direct message with the bot)
   * @param {function()} openDrawer opens the list of channels on a phone
   */
  constructor(store, connection, id, home, openDrawer) {
    const channel = store.channel(id);
    this.id = id;
    this.home = home;
    this.name = channel.is_im || channel.is_mpim ? channel.name : `#${channel.name}`;
    this.content = home ? new Home(store, connection) : new Conversation(store, connection, id, null, this.name);
    if (this.content.composer) this.content.composer.field.id = "composer";
    const drawer = iconButton("drawer", "Channels and apps", { class: "quiet drawer", "aria-controls": "sidebar" });
    drawer.addEventListener("click", openDrawer);
    const tabs = [tab("Messages", id, !home), tab("Home", `${id}/home`, home)];
    this.nodes = [
      element(
        "header",
        { class: "heading" },
        drawer,
        element("h2", {}, channel.is_im || channel.is_mpim ? icon("chat") : icon("channel"), channel.name),
        channel.is_im && element("nav", { class: "tabs", "aria-label": channel.name }, tabs),
        store.state.has_panel && !channel.is_im && assistantLink(id, { ...store.state.bot, is_bot: true }),
      ),
      this.content.node,
    ];
  }

  changed(change) {
    this.content.changed(change);
  }

  /** Put the cursor into the message field. */
  focus() {
    this.content.composer?.field.focus({ preventScroll: true });
  }
}

/** Return the link that opens the assistant panel beside the channel. */
function assistantLink(id, bot) {
  const label = `Ask ${bot.name}`;
  return element("a", { href: `#${id}/assistant`, class: "quiet ask", title: label, "aria-label": label }, avatar(bot));
}

function tab(text, target, current) {
  return element("a", { href: `#${target}`, "aria-current": current ? "page" : null }, text);
}

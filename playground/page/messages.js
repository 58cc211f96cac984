// Messages: one in a list, the list of a channel, the list of a thread.

import { drawBlocks } from "./blocks.js";
import { clockTime, dayWords, isoDay, timeNode } from "./dates.js";
import { el, reconcile } from "./dom.js";
import { menuButton } from "./menu.js";
import { mrkdwn } from "./mrkdwn.js";

const HUES = 8;
const KIND_WORDS = { bot: "app", guest: "guest", stranger: "external", deactivated: "deactivated" };

const instant = (ts) => Number(ts) * 1000;

/** Initials on a colour that belongs to the person. */
export function avatar(id, world) {
  const words = world.nameOf(id).split(/\s+/);
  const hue = [...id].reduce((sum, char) => sum + char.charCodeAt(0), 0) % HUES;
  return el("span", { class: `avatar hue-${hue}${world.isBot(id) ? " bot" : ""}`, "aria-hidden": "true" }, words.slice(0, 2).map((word) => word[0] ?? "").join("").toUpperCase());
}

function head(message, world) {
  const kind = world.isBot(message.user) ? "bot" : world.people.find((one) => one.id === message.user)?.kind;
  const time = timeNode("{time}", instant(message.ts), world.tz, world.now());
  return el("div", { class: "head" },
    el("strong", {}, world.nameOf(message.user)), KIND_WORDS[kind] && el("span", { class: "badge" }, KIND_WORDS[kind]), time,
    message.edited && el("span", { class: "faint" }, "edited"),
    message.ephemeral && el("span", { class: "badge only-you" }, "Only visible to you"));
}

function foot(message, page, where) {
  const replies = message.reply_count ?? 0;
  const openThread = () => page.openThread(where.channel, message.ts);
  const shortcuts = page.messageShortcuts();
  return el("div", { class: "message-foot" },
    replies > 0 && where.pane === "log" && el("button", { type: "button", class: "replies", data: { thread: message.ts }, on: { click: openThread } },
      `${replies} ${replies === 1 ? "reply" : "replies"}`),
    !message.ephemeral && el("div", { class: "tools" },
      where.pane === "log" && el("button", { type: "button", class: "quiet", data: { reply: message.ts }, on: { click: openThread } }, "Reply in thread"),
      shortcuts.length > 0 && menuButton({
        label: "Message shortcuts",
        items: shortcuts.map((one) => ({
          label: one.name, data: { shortcut: one.callback_id },
          choose: () => page.send({ type: "message_shortcut", callback_id: one.callback_id, channel: where.channel, ts: message.ts }),
        })),
      })));
}

function draw(node, message, page, where) {
  const world = page.world();
  const shortcuts = page.messageShortcuts().map((one) => one.callback_id);
  const main = node.querySelector(".message-main");
  node.querySelector(".avatar").replaceWith(avatar(message.user, world));
  reconcile(main, [
    { key: "head", sig: JSON.stringify([message.user, message.edited, message.ephemeral, world.sig]), build: () => head(message, world) },
    {
      key: message.blocks?.length ? "blocks" : "text", sig: JSON.stringify([message.text, message.blocks, world.sig]),
      build: () => {
        const body = el("div", { class: message.blocks?.length ? "card" : "text" });
        body.fill = (now) => (now.blocks?.length ? drawBlocks(body, now.blocks, node.surface, page.world()) : body.replaceChildren(...mrkdwn(now.text ?? "", page.world())));
        body.fill(message);
        return body;
      },
      update: (body) => body.fill(message),
    },
    { key: "foot", sig: JSON.stringify([message.reply_count, message.ephemeral, shortcuts]), build: () => foot(message, page, where) },
  ]);
}

function build(message, page, where) {
  const node = el("article", {
    class: message.ephemeral ? "message ephemeral" : "message", tabindex: "-1", data: { ts: message.ts, ephemeral: message.ephemeral ? "true" : null },
    "aria-label": `${page.world().nameOf(message.user)}, ${clockTime(instant(message.ts), page.world().tz)}`,
  }, el("span", { class: "avatar" }), el("div", { class: "message-main" }));
  node.surface = {
    id: `${where.pane}/${message.ts}`, channel: where.channel,
    act: (ids) => page.send({ type: "click", channel: where.channel, ts: message.ts, ...ids }),
    options: (ids, query) => page.options({ channel: where.channel, ts: message.ts, ...ids, query }),
  };
  draw(node, message, page, where);
  return node;
}

/** Bring `list` up to date with `messages`. `where`: {channel, pane: "log" | "thread"}. Keeps to the end of the list if that was in sight. */
export function drawMessages(list, messages, page, where) {
  const world = page.world();
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const items = [];
  let day = null;
  for (const message of messages) {
    const today = isoDay(instant(message.ts), world.tz);
    if (today !== day && where.pane === "log") {
      const words = dayWords(instant(message.ts), world.tz, world.now());
      items.push({ key: `day ${today}`, sig: words, build: () => el("div", { class: "day" }, el("span", {}, words)) });
    }
    day = today;
    items.push({
      key: `${message.ts}${message.ephemeral ? " to you" : ""}`, sig: JSON.stringify([message, world.sig, page.messageShortcuts()]),
      build: () => build(message, page, where), update: (node) => draw(node, message, page, where),
    });
  }
  if (!messages.length) items.push({ key: "empty", sig: "", build: () => el("p", { class: "empty" }, "Nothing has been said here yet.") });
  reconcile(list, items);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

// The page: one state of the workspace as one person sees it, drawn again on each change.

import { drawBlocks } from "./blocks.js";
import { composer } from "./composer.js";
import { speakTo } from "./confirm.js";
import { knownZone, retellDates } from "./dates.js";
import { el, keepingFocus } from "./dom.js";
import { drawMessages } from "./messages.js";
import { modalStack } from "./modals.js";
import { drawPanels, tellTime } from "./panels.js";
import { drawRail } from "./rail.js";
import { follow, options, post } from "./server.js";

const TICK_MS = 1000;
const SAID_MS = 12_000;

const $ = (id) => document.getElementById(id);

const here = new URLSearchParams(location.hash.slice(1));
let as = here.get("as");
let at = here.get("at");
let thread = here.get("thread");
let state = null;
let world = null;
let stop = () => {};
const drafts = new Map(); // by person and channel

/** What renderers need to know of the reader and of everybody's names. `sig` changes when any of it does. */
function worldOf(now) {
  const people = now.people;
  const isBot = (id) => id === "bot" || id === now.bot.id;
  const received = performance.now();
  const me = people.find((person) => person.id === now.me);
  return {
    me: now.me, people, groups: now.groups, channels: now.channels, isBot,
    tz: knownZone(me?.tz ?? "UTC"),
    now: () => now.clock.now_ms + performance.now() - received,
    nameOf: (id) => {
      const person = people.find((one) => one.id === id);
      return isBot(id) ? now.bot.name : person?.real_name || person?.name || id;
    },
    sig: JSON.stringify([now.me, me?.tz, people.map((one) => [one.id, one.real_name, one.name, one.kind]), now.groups, now.channels.map((one) => [one.id, one.name])]),
  };
}

// --- saying things ---------------------------------------------------------------------------------------------------

let unsay;

/** Say a sentence where the person is: in the top modal, or in the page's own status line. */
function say(words) {
  const line = modals.status() ?? $("status-words");
  line.textContent = words;
  clearTimeout(unsay);
  $("status").hidden = !$("status-words").textContent;
  unsay = setTimeout(hush, SAID_MS);
}

function hush() {
  $("status-words").textContent = "";
  $("status").hidden = true;
}

async function send(act) {
  const answer = await post({ as: state.me, ...act });
  if (answer.ok) hush();
  else if (!answer.errors) say(answer.error ?? "The server refused this and did not say why.");
  return answer;
}

const page = {
  send,
  options: (ids) => options({ as: state.me, ...ids }),
  world: () => world,
  openThread: (channel, ts) => {
    thread = ts;
    show("side");
    draw();
    $("thread-composer").focus();
  },
  messageShortcuts: () => state.shortcuts.filter((one) => one.type === "message"),
  get at() { return at; },
  goTo,
  actAs: (id) => {
    keepDraft();
    as = id;
    subscribe();
  },
};
const modals = modalStack(page);

// --- drawing ---------------------------------------------------------------------------------------------------------

const channelComposer = composer({ id: "composer", label: "Message, or / for commands", commands: () => state.commands, send: speak });
const threadComposer = composer({ id: "thread-composer", label: "Reply", commands: () => [], send: reply });

function drawHeader(channel) {
  const title = at === "home" ? state.bot.name : channel.kind === "im" ? channel.name : `# ${channel.name}`;
  $("place").textContent = title;
  $("place-note").textContent = at === "home" ? "App Home" : channel.archived ? "archived" : channel.kind === "im" ? "direct messages with the app" : "";
  document.title = `${title.replace("# ", "#")} · ${state.team.name}`;
}

function drawNotices(lost) {
  const words = [
    lost && "The server of this playground does not answer. Trying again every second; what you type stays here.",
    !lost && state && !state.bot_connected && `${state.bot.name} is not connected: clicks and commands have nobody to answer them.`,
    state?.notice,
  ].filter(Boolean);
  const old = [...$("notices").children].map((node) => node.textContent);
  if (words.join("\n") !== old.join("\n")) $("notices").replaceChildren(...words.map((one) => el("p", {}, one)));
}

function drawConversation(channel) {
  const all = state.messages[channel.id] ?? [];
  const key = `${state.me} ${channel.id}`;
  let log = $("log");
  if (log.dataset.key !== key) { // a fresh list, or the whole other conversation would be read out as new
    const fresh = el("div", { id: "log", role: "log", "aria-live": "polite", "aria-label": `Messages in ${channel.name}`, tabindex: "0", data: { key } });
    log.replaceWith(fresh);
    log = fresh;
    channelComposer.draft = drafts.get(key) ?? "";
  }
  const roots = all.filter((message) => !message.thread_ts || message.thread_ts === message.ts);
  drawMessages(log, roots, page, { channel: channel.id, pane: "log" });
  if (channel.unread > 0) post({ as: state.me, type: "read", channel: channel.id });
  channelComposer.relabel(`Message ${channel.kind === "im" ? channel.name : `#${channel.name}`}, or / for commands`);
  channelComposer.hidden = channel.archived;
}

function drawThread(channel) {
  const all = (channel && state.messages[channel.id]) ?? [];
  const root = thread && all.find((message) => message.ts === thread);
  if (!root) thread = null;
  $("thread").hidden = !root;
  $("panels").hidden = Boolean(root);
  $("side").setAttribute("aria-label", root ? "Thread" : "Outside systems and clock");
  if (!root) return;
  drawMessages($("thread-log"), [root, ...all.filter((message) => message.thread_ts === thread && message.ts !== thread)], page, { channel: channel.id, pane: "thread" });
}

const homeSurface = {
  id: "home",
  act: (ids) => send({ type: "home_action", ...ids }),
  options: (ids, query) => page.options({ ...ids, query }),
};

function drawHome() {
  const blocks = state.home?.blocks;
  $("home-empty").hidden = Boolean(blocks);
  drawBlocks($("home-blocks"), blocks ?? [], homeSurface, world);
}

function drawAll() {
  const channel = state.channels.find((one) => one.id === at) ?? (at === "home" ? null : state.channels[0]);
  at = channel?.id ?? "home";
  $("conversation").hidden = at === "home";
  $("home").hidden = at !== "home";
  drawHeader(channel);
  drawNotices(false);
  drawRail($("rail"), state, page);
  if (channel) drawConversation(channel);
  else drawHome();
  drawThread(channel);
  drawPanels($("panels"), state, world, send);
  modals.draw(state.modals);
  retellDates(document, world.now());
  const place = new URLSearchParams({ as: state.me, at, ...(thread ? { thread } : {}) });
  history.replaceState(null, "", `#${place}`);
}

const draw = () => state && keepingFocus(drawAll);

// --- going places, saying things -----------------------------------------------------------------------------------

const keepDraft = () => { if (state && at !== "home") drafts.set(`${state.me} ${at}`, channelComposer.draft); };

function goTo(id) {
  keepDraft();
  if (id !== at) thread = null;
  at = id;
  show("main");
  draw();
  if (id === "home") send({ type: "open_home" });
}

/** What a client of Slack does to what people type: only an app can make a mention of `<!channel>`. */
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

async function speak(text) {
  const key = `${state.me} ${at}`;
  drafts.delete(key);
  return (await send(text.startsWith("/") ? { type: "slash", channel: at, text } : { type: "say", channel: at, text: escaped(text) })).ok;
}

async function reply(text) {
  if (text.startsWith("/")) {
    say("Slash commands do not run in threads. Type it in the channel instead.");
    return false;
  }
  return (await send({ type: "say", channel: at, text: escaped(text), thread_ts: thread })).ok;
}

/** On a narrow screen one of rail, main and side is shown at a time. */
function show(pane) {
  document.body.dataset.pane = pane;
  for (const tab of document.querySelectorAll("[data-show]")) tab.setAttribute("aria-pressed", String(tab.dataset.show === pane));
}

function subscribe() {
  stop();
  stop = follow(as, {
    onState: (fresh) => {
      const another = fresh.me !== state?.me;
      state = fresh;
      as = fresh.me;
      world = worldOf(fresh);
      speakTo(world);
      document.body.dataset.ready = "true";
      draw();
      if (another && at === "home") send({ type: "open_home" });
    },
    onLost: () => drawNotices(true),
  });
}

$("conversation").append(channelComposer);
$("thread").append(threadComposer);
$("thread-close").addEventListener("click", () => {
  const root = thread;
  thread = null;
  show("main");
  draw();
  document.querySelector(`#log [data-ts="${CSS.escape(root)}"]`)?.focus();
});
$("status-close").addEventListener("click", hush);
for (const tab of document.querySelectorAll("[data-show]")) tab.addEventListener("click", () => show(tab.dataset.show));
setInterval(() => world && (tellTime(world), retellDates(document, world.now())), TICK_MS);
show("main");
subscribe();

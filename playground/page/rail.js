// The left rail: who is acting, where to go, what can be started.

import { el, reconcile, unseen } from "./dom.js";

const KIND_WORDS = { member: "", guest: "guest", stranger: "from another company", deactivated: "deactivated" };

const handles = (person) => (person.groups ?? []).map((handle) => `@${handle}`);

/** What people have in common in the list: their user groups; for who counts nowhere, that. Names alone fit into the closed list. */
const company = (person) => (KIND_WORDS[person.kind] ?? person.kind) || handles(person).join(" ") || "no user group";

function actAs(page) {
  const select = el("select", { id: "act-as", "aria-describedby": "act-as-who", on: { change: (event) => page.actAs(event.target.value) } });
  return el("div", { class: "act-as" }, el("label", { for: "act-as" }, "Act as"), select, el("p", { id: "act-as-who", class: "faint" }));
}

/** In place: a list that is made anew forgets which letters of a name were typed so far. */
function fillActAs(node, state) {
  const people = state.people.filter((person) => person.kind !== "bot");
  const me = people.find((person) => person.id === state.me);
  const [, select, who] = node.children;
  const option = (person) => el("option", { value: person.id, disabled: person.kind === "deactivated" }, person.real_name || person.name);
  reconcile(select, [...new Set(people.map(company))].map((label) => {
    const members = people.filter((person) => company(person) === label);
    return { key: label, sig: JSON.stringify(members), build: () => el("optgroup", { label }, members.map(option)) };
  }));
  select.value = state.me;
  who.textContent = me ? `${KIND_WORDS[me.kind] || me.kind} in ${handles(me).join(" ") || "no group"}` : "";
}

function place({ id, face, name, unread, here, archived, data }, open) {
  return el("button", { type: "button", class: "place", "aria-current": here ? "page" : null, data, on: { click: () => open(id) } },
    el("span", { class: "face", "aria-hidden": "true" }, face), el("span", { class: "name" }, name),
    archived && el("span", { class: "faint" }, "archived"),
    unread > 0 && !here && el("span", { class: "count" }, String(unread), unseen(" unread")));
}

const places = (state, kind, at) => state.channels.filter((one) => one.kind === kind).map((one) => ({
  id: one.id, face: kind === "im" ? "●" : "#", name: one.name, unread: one.unread, here: one.id === at, archived: one.archived, data: { channel: one.id },
}));

function list(title, entries, open) {
  const id = `rail-${title.toLowerCase().replaceAll(" ", "-")}`;
  return el("section", { "aria-labelledby": id }, el("h2", { id }, title), el("ul", {}, entries.map((entry) => el("li", {}, place(entry, open)))));
}

/** Bring the rail up to date. `page`: {at, actAs(id), goTo(id), send(act)}. */
export function drawRail(rail, state, page) {
  const channels = places(state, "channel", page.at);
  const app = [{ id: "home", face: "⌂", name: `${state.bot.name} Home`, here: page.at === "home", data: { channel: "home" } }, ...places(state, "im", page.at)];
  const shortcuts = state.shortcuts.filter((one) => one.type === "global")
    .map((one) => ({ id: one.callback_id, face: "+", name: one.name, data: { shortcut: one.callback_id } }));
  const section = (title, entries, open) => ({ key: title, sig: JSON.stringify(entries), build: () => list(title, entries, open) });
  reconcile(rail, [
    { key: "team", sig: state.team.name, build: () => el("p", { class: "team" }, state.team.name, el("small", {}, "on this machine only")) },
    {
      key: "who", sig: JSON.stringify([state.me, state.people]),
      build: () => { const node = actAs(page); fillActAs(node, state); return node; },
      update: (node) => fillActAs(node, state),
    },
    section("Channels", channels, page.goTo),
    section("Apps", app, page.goTo),
    ...(shortcuts.length ? [section("Shortcuts", shortcuts, (id) => page.send({ type: "shortcut", callback_id: id }))] : []),
    {
      key: "bot", sig: JSON.stringify([state.bot, state.bot_connected]),
      build: () => el("p", { class: state.bot_connected ? "bot-state on" : "bot-state off" }, `${state.bot.name} is ${state.bot_connected ? "connected" : "not connected"}.`),
    },
  ]);
}

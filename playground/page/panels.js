// The right side: what the outside received and holds, and the clock.

import { clockSeconds, clockTime, isoDay, lengthWords } from "./dates.js";
import { el, reconcile } from "./dom.js";

const STEPS = [["+1 min", 60_000], ["+15 min", 900_000], ["+1 h", 3_600_000], ["+8 h", 28_800_000]];

const statusWords = (status) => {
  if (typeof status !== "number") return String(status);
  return status >= 200 && status < 300 ? `${status} accepted` : status ? `${status} refused` : "no answer";
};

function hookRow(row, world) {
  return el("div", { class: "delivery" },
    el("div", { class: "head" }, el("strong", {}, row.name), el("span", { class: "badge" }, row.event), el("time", { class: "faint" }, clockSeconds(row.time_ms, world.tz))),
    el("p", {}, el("span", { class: row.verified ? "good" : "bad" }, row.verified ? "✓ signature verified" : "✗ signature NOT verified"), ` · ${statusWords(row.status)}`),
    row.body && el("details", {}, el("summary", {}, "Body"), el("pre", { tabindex: "0" }, row.body)));
}

const groupRow = (row) => el("div", { class: "group" },
  el("strong", {}, row.group), row.members.length
    ? el("ul", {}, row.members.map((member) => el("li", {}, member)))
    : el("p", { class: "faint" }, "has no members"));

const ROWS = {
  hooks: { key: (row, index) => `${row.time_ms} ${row.name} ${row.event} ${index}`, node: hookRow, empty: "Nothing was delivered since the start." },
  groups: { key: (row) => row.group, node: groupRow, empty: "No groups." },
  text: { key: (row, index) => `${index}`, node: (row) => el("p", {}, String(row)), empty: "Nothing here." },
};

function fill(node, panel, world) {
  const shape = ROWS[panel.kind] ?? ROWS.text;
  const rows = panel.rows.map((row, index) => ({ key: shape.key(row, index), sig: JSON.stringify([row, world.tz]), build: () => shape.node(row, world) }));
  reconcile(node, rows.length ? rows : [{ key: "empty", sig: "", build: () => el("p", { class: "faint" }, shape.empty) }]);
}

function clockNode(state, send) {
  return el("section", { id: "clock", "aria-labelledby": "clock-title" },
    el("h2", { id: "clock-title" }, "Clock"),
    el("p", { class: "clock-face" }, el("strong", {}), el("span", { class: "faint" }), el("span", { class: "faint" })),
    el("p", { class: "faint" }, state.clock.skew_ms ? `${lengthWords(state.clock.skew_ms)} ${state.clock.skew_ms > 0 ? "ahead of" : "behind"} real time, which messages are stamped with` : "shows real time"),
    state.clock.can_advance && el("div", { class: "steps", role: "group", "aria-label": "Advance the clock" },
      STEPS.map(([label, ms]) => el("button", { type: "button", class: "button small", data: { advance: ms }, on: { click: () => send({ type: "advance_clock", ms }) } }, label))));
}

const possessive = (name) => (name.endsWith("s") ? `${name}’` : `${name}’s`);

/** Show the time of `world.now()` on the clock's face, as the acting person's own clock has it, and beside it UTC: another person may live elsewhere. */
export function tellTime(world) {
  const face = document.querySelector("#clock .clock-face");
  if (!face) return;
  const [time, day, utc] = face.children;
  const now = world.now();
  document.querySelector("#clock-title").textContent = `${possessive(world.nameOf(world.me).split(" ")[0])} clock`;
  time.textContent = clockTime(now, world.tz);
  day.textContent = `${isoDay(now, world.tz)}, ${world.tz}`;
  utc.textContent = world.tz === "UTC" ? "" : `${isoDay(now, "UTC") === isoDay(now, world.tz) ? "" : `${isoDay(now, "UTC")}, `}${clockTime(now, "UTC")} UTC`;
}

/** Bring the panels up to date. */
export function drawPanels(parent, state, world, send) {
  reconcile(parent, [
    { key: "clock", sig: JSON.stringify([Math.round(state.clock.skew_ms / 1000), state.clock.can_advance]), build: () => clockNode(state, send) },
    ...state.panels.map((panel, index) => ({
      key: `panel ${panel.title}`, sig: JSON.stringify([panel, world.tz]),
      build: () => {
        const id = `panel-${index}`;
        const rows = el("div", { class: "rows" });
        const node = el("section", { class: `panel ${panel.kind}`, "aria-labelledby": id, data: { panel: panel.title } }, el("h2", { id }, panel.title), rows);
        fill(rows, panel, world);
        return node;
      },
      update: (node) => fill(node.querySelector(".rows"), panel, world),
    })),
  ]);
  tellTime(world);
}

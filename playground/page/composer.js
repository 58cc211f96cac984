// Where people type: messages, and slash commands with a list of what exists.

import { el } from "./dom.js";

/**
 * `at`: {id, label, send(text) -> Promise<bool>, commands() -> [{command, usage_hint, description}]}. Enter sends, Shift+Enter breaks the line.
 * The node has `draft`, which is also the way to set what stands in it.
 */
export function composer(at) {
  const hints = el("ul", { id: `${at.id}-hints`, class: "hints", role: "listbox", "aria-label": "Slash commands", hidden: true });
  const area = el("textarea", {
    id: at.id, rows: 1, "aria-label": at.label, placeholder: at.label, enterkeyhint: "send", "aria-controls": hints.id, "aria-autocomplete": "list", spellcheck: "false", autocomplete: "off",
  });
  const submit = el("button", { type: "submit", class: "button primary" }, "Send");
  const form = el("form", { class: "composer" }, hints, el("div", { class: "row" }, area, submit));
  let active = 0;
  let shown = [];

  const grow = () => {
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight + 2, 160)}px`;
  };
  const complete = (one) => {
    area.value = `${one.command} `;
    area.focus();
    suggest();
  };
  const suggest = () => {
    const [word] = area.value.split(/\s/);
    const typing = area.value === word;
    shown = word.startsWith("/") ? at.commands().filter(({ command }) => (typing ? command.startsWith(word) : command === word)) : [];
    active = Math.min(active, Math.max(shown.length - 1, 0));
    hints.hidden = !shown.length;
    hints.replaceChildren(...shown.map((one, index) => el("li", {
      id: `${hints.id}-${index}`, role: "option", "aria-selected": String(typing && index === active), data: { command: one.command },
      on: { mousedown: (event) => { event.preventDefault(); if (typing) complete(one); } },
    }, el("strong", {}, one.command), " ", el("code", {}, one.usage_hint ?? ""), el("span", {}, one.description ?? ""))));
    if (typing && shown.length) area.setAttribute("aria-activedescendant", `${hints.id}-${active}`);
    else area.removeAttribute("aria-activedescendant");
    grow();
    return typing && shown.length > 0 && shown[active].command !== word;
  };
  const send = async () => {
    const text = area.value.trim();
    if (!text) return;
    area.value = "";
    suggest();
    if (!(await at.send(text)) && !area.value) area.value = text;
    suggest();
  };

  area.addEventListener("input", () => { active = 0; suggest(); });
  area.addEventListener("blur", () => { hints.hidden = true; });
  area.addEventListener("focus", suggest);
  area.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const open = !hints.hidden && area.hasAttribute("aria-activedescendant");
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      active = (active + (event.key === "ArrowDown" ? 1 : shown.length - 1)) % shown.length;
      suggest();
    } else if (open && event.key === "Escape") {
      event.preventDefault();
      hints.hidden = true;
      area.removeAttribute("aria-activedescendant");
    } else if (open && (event.key === "Tab" || event.key === "Enter") && !event.shiftKey && (event.key === "Tab" || shown[active].command !== area.value)) {
      event.preventDefault();
      complete(shown[active]);
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    }
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  Object.defineProperty(form, "draft", { get: () => area.value, set: (text) => { area.value = text; suggest(); hints.hidden = hints.hidden || document.activeElement !== area; } });
  form.relabel = (label) => area.setAttribute("aria-label", label);
  return form;
}

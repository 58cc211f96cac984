// A list to choose one or several from, with a search: multi selects and selects whose options the app supplies.

import { el } from "./dom.js";

const TYPING_MS = 250;
const SEARCH_FROM = 8;

/**
 * `load(query)` gives the options ({value, label, note?}), at once or as a promise. The field's value is a list when `multiple`,
 * else a string or null. `most` is how many may be chosen.
 */
export function picker({ name, placeholder, label, multiple, most = Infinity, chosen = [], load, remote = false, leastQuery = 0, changed, data }) {
  const picked = new Map(chosen.map((option) => [option.value, option]));
  const summary = el("summary", { "aria-label": label });
  const search = el("input", { type: "search", "aria-label": `Search: ${label}`, placeholder: "Search", autocomplete: "off" });
  const list = el("div", { class: "options", role: "group", "aria-label": label });
  const hint = el("p", { class: "hint", role: "status" });
  const node = el("details", { class: "picker", data }, summary, search, list, hint);

  const summarize = () => {
    const words = [...picked.values()].map((option) => option.label).join(", ");
    summary.replaceChildren(el("span", { class: words ? "" : "placeholder" }, words || placeholder));
    summary.setAttribute("aria-label", `${label}: ${words || "nothing chosen"}`);
    if (Number.isFinite(most)) hint.textContent = picked.size >= most ? `No more than ${most} can be chosen.` : "";
    for (const box of list.querySelectorAll("input")) {
      box.checked = picked.has(box.dataset.value);
      if (multiple) box.disabled = !box.checked && picked.size >= most;
    }
  };
  const choose = (option, on) => {
    if (!multiple) picked.clear();
    if (on) picked.set(option.value, option);
    else picked.delete(option.value);
    summarize();
    if (!multiple) {
      node.open = false;
      summary.focus();
    }
    changed();
  };
  const show = (options) => {
    list.replaceChildren(...options.map((option) => el("label", { class: "option" },
      el("input", { type: multiple ? "checkbox" : "radio", name, data: { value: option.value }, on: { change: (event) => choose(option, event.target.checked) } }),
      el("span", {}, option.label, option.note && el("small", {}, option.note)))));
    if (!options.length) list.replaceChildren(el("p", { class: "hint" }, "Nothing matches."));
    summarize();
  };
  let latest = 0;
  const find = async () => {
    const query = search.value.trim();
    if (query.length < leastQuery) return list.replaceChildren(el("p", { class: "hint" }, `Type at least ${leastQuery} characters.`));
    const mine = (latest += 1);
    const options = await load(query);
    if (mine === latest) show(remote ? options : options.filter((option) => option.label.toLowerCase().includes(query.toLowerCase())));
  };
  let timer;
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(find, remote ? TYPING_MS : 0); });
  node.addEventListener("toggle", () => node.open && (find(), !search.hidden && search.focus()));
  node.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target !== summary) event.preventDefault();
    if (event.key !== "Escape" || !node.open) return;
    event.preventDefault();
    event.stopPropagation();
    node.open = false;
    summary.focus();
  });
  search.hidden = !remote && load("").length < SEARCH_FROM;
  summarize();
  node.field = {
    get: () => (multiple ? [...picked.keys()] : [...picked.keys()][0] ?? null),
    set: (value) => {
      const known = new Map([...chosen, ...picked.values(), ...(remote ? [] : load(""))].map((option) => [option.value, option]));
      picked.clear();
      for (const one of [value ?? []].flat()) if (known.has(one)) picked.set(one, known.get(one));
      summarize();
    },
    carry: (old) => { picked.clear(); for (const [key, option] of old.picked) picked.set(key, option); summarize(); },
    picked,
    focus: () => summary.focus(),
  };
  return node;
}

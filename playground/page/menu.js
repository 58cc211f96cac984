// A button that opens a menu: overflow elements and the shortcuts of a message.

import { el } from "./dom.js";

const GAP_PX = 4;

function place(menu, button) {
  const box = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = box.bottom + GAP_PX + height <= window.innerHeight;
  menu.style.left = `${Math.max(GAP_PX, Math.min(box.right - width, window.innerWidth - width - GAP_PX))}px`;
  menu.style.top = `${below ? box.bottom + GAP_PX : Math.max(GAP_PX, box.top - height - GAP_PX)}px`;
}

function walk(menu, event) {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  items.at(next % items.length).focus();
}

/** `items` are {label (nodes), data, choose()}. The menu is a popover: above dialogs, closed by Escape or a click elsewhere. */
export function menuButton({ label, face = "⋯", items, data, className = "quiet" }) {
  const menu = el("div", { class: "menu", role: "menu", popover: "auto", "aria-label": label });
  const button = el("button", { type: "button", class: className, "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": label, title: label, data },
    el("span", { "aria-hidden": "true" }, face));
  menu.append(...items.map((item) => el("button", {
    type: "button", role: "menuitem", tabindex: "-1", data: item.data,
    on: { click: () => { menu.hidePopover(); item.choose(); } },
  }, item.label)));
  button.popoverTargetElement = menu;
  menu.addEventListener("toggle", (event) => {
    const open = event.newState === "open";
    button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    place(menu, button);
    menu.firstElementChild?.focus();
  });
  menu.addEventListener("keydown", (event) => walk(menu, event));
  return el("span", { class: "menu-anchor" }, button, menu);
}

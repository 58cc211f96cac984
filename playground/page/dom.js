// Build elements, and bring lists of them up to date without disturbing the person who is using them.

const PROPERTIES = new Set(["value", "checked", "selected", "disabled", "open", "hidden", "required", "multiple"]);

/** An element. `props`: attributes, a few live properties, `class`, `data` (dataset) and `on` (listeners). Strings become text nodes. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "data") for (const [key, datum] of Object.entries(value)) datum != null && (node.dataset[key] = datum);
    else if (name === "class") node.className = value;
    else if (PROPERTIES.has(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Text that only a screen reader hears. */
export const unseen = (text) => el("span", { class: "unseen" }, text);

/**
 * Make `parent` hold `items` ({key, sig, build(), update?(node)}) in order. A node whose sig is the same stays as it is: its focus,
 * its half-typed value, its open list. Another sig calls `update`, or `build` with the old node for what is to be carried over.
 */
export function reconcile(parent, items) {
  const keys = new Set(items.map((item) => item.key));
  const known = new Map();
  for (const child of [...parent.children]) keys.has(child.itemKey) ? known.set(child.itemKey, child) : child.remove();
  let at = parent.firstElementChild;
  for (const item of items) {
    let node = known.get(item.key);
    if (!node) node = item.build();
    else if (node.itemSig !== item.sig) {
      if (item.update) item.update(node);
      else {
        const fresh = item.build(node);
        node.replaceWith(fresh);
        if (at === node) at = fresh;
        node = fresh;
      }
    }
    node.itemKey = item.key;
    node.itemSig = item.sig;
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
}

const MARKS = ["id", "data-view-id", "data-ts", "data-block-id", "data-action-id", "data-value"];

function trail(node) {
  const marks = [];
  for (let at = node; at && at !== document.body; at = at.parentElement) {
    const name = MARKS.find((mark) => at.hasAttribute(mark));
    if (name) marks.unshift(`[${name}="${CSS.escape(at.getAttribute(name))}"]`);
  }
  return marks;
}

let beforeDrawing = null;

/** Where the focus is (or was when this redraw began), as something that can be found again; null when nothing has it. */
export function rememberFocus() {
  const node = document.activeElement;
  if (!node || node === document.body) return beforeDrawing;
  const typed = "selectionStart" in node && node.selectionStart !== null ? [node.selectionStart, node.selectionEnd] : null;
  return { node, typed, marks: trail(node) };
}

/** Focus what was remembered, or the nearest thing around it that is still there. */
export function restoreFocus(memory) {
  if (!memory || (document.activeElement && document.activeElement !== document.body)) return;
  if (memory.node.isConnected && memory.node.getClientRects().length) return memory.node.focus({ preventScroll: true });
  for (let depth = memory.marks.length; depth > 0; depth -= 1) {
    const found = document.querySelector(memory.marks.slice(0, depth).join(" "));
    if (!found || !found.getClientRects().length) continue;
    if (found.tabIndex < 0) found.tabIndex = -1;
    found.focus({ preventScroll: true });
    if (memory.typed && depth === memory.marks.length && "setSelectionRange" in found) found.setSelectionRange(...memory.typed);
    return;
  }
}

/** Run `draw` and leave the focus where it was. */
export function keepingFocus(draw) {
  beforeDrawing = null;
  beforeDrawing = rememberFocus();
  draw();
  restoreFocus(beforeDrawing);
  beforeDrawing = null;
}

// Block Kit blocks as DOM nodes.

import { confirmDialog } from "./confirm.js";
import { el, reconcile } from "./dom.js";
import { carryValues, fieldNode, isField, readValues } from "./fields.js";
import { menuButton } from "./menu.js";
import { isSafeUrl, plainText, textNodes } from "./mrkdwn.js";
import { richText, unsupported } from "./richtext.js";

/*
 * A surface is where blocks live: {id (unique on the page), act(ids and value) -> Promise, options(ids, query), channel?}.
 * The page has three kinds: a message, the App Home, a modal.
 */

async function dispatch(surface, block, element, node, value, extra = {}) {
  if (element.confirm && !(await confirmDialog(element.confirm))) return false;
  const root = node.closest(".blocks");
  await surface.act({
    block_id: block.block_id, action_id: element.action_id, value, ...extra, values: root ? readValues(root) : {},
    ...(element.confirm ? { confirmed: true } : {}),
  });
  return true;
}

function buttonNode(element, block, surface) {
  const link = element.url && isSafeUrl(element.url);
  const node = el(link ? "a" : "button", {
    ...(link ? { href: element.url, target: "_blank", rel: "noopener noreferrer" } : { type: "button" }),
    class: `button ${element.style ?? ""}`, "aria-label": element.accessibility_label, data: { actionId: element.action_id },
  }, plainText(element.text.text));
  node.addEventListener("click", async () => {
    node.setAttribute("aria-busy", "true");
    await dispatch(surface, block, element, node, element.value);
    node.removeAttribute("aria-busy");
  });
  return node;
}

function overflowNode(element, block, surface) {
  const node = menuButton({
    label: element.accessibility_label ?? "More actions", className: "button", data: { actionId: element.action_id },
    items: element.options.map((option) => ({
      label: textNodes(option.text), data: { value: option.value },
      choose: () => {
        if (option.url && isSafeUrl(option.url)) window.open(option.url, "_blank", "noopener");
        dispatch(surface, block, element, node, option.value, { option: option.value });
      },
    })),
  });
  return node;
}

function field(element, block, surface, world, { label, labelId, describedBy, required, dispatches }) {
  let settled;
  const node = fieldNode({
    element, world, label, labelId, describedBy, required, dispatches, channel: surface.channel,
    id: `${surface.id}/${block.block_id}/${element.action_id}`,
    options: (query) => surface.options({ block_id: block.block_id, action_id: element.action_id }, query),
    changed: async () => {
      if (!dispatches) return;
      const value = node.field.get();
      const picked = /select|radio/.test(element.type) && !Array.isArray(value) ? { option: value } : {};
      if (await dispatch(surface, block, element, node, value, picked)) settled = value;
      else node.field.set(settled);
    },
  });
  settled = node.field.get();
  return node;
}

function elementNode(element, block, surface, world) {
  if (element.type === "button") return buttonNode(element, block, surface);
  if (element.type === "overflow") return overflowNode(element, block, surface);
  if (element.type === "image") return imageNode(element);
  if (element.type === "workflow_button" || !isField(element)) return unsupported(element.type);
  return field(element, block, surface, world, {
    label: element.accessibility_label ?? element.placeholder?.text ?? block.text?.text ?? element.type.replaceAll("_", " "), dispatches: true,
  });
}

/** Nothing is fetched from outside: an image is a box with its words. */
function imageNode(image) {
  return el("span", { class: "image", role: "img", "aria-label": image.alt_text, title: image.image_url ?? "" },
    el("span", { "aria-hidden": "true" }, `▨ ${image.alt_text || "image"}`));
}

function sectionNode(block, surface, world) {
  const accessory = block.accessory && elementNode(block.accessory, block, surface, world);
  return el("div", { class: accessory ? "section with-accessory" : "section" },
    el("div", {},
      block.text && el("div", { class: "text" }, textNodes(block.text, world)),
      block.fields && el("div", { class: "fields" }, block.fields.map((text) => el("div", { class: "text" }, textNodes(text, world))))),
    accessory && el("div", { class: "accessory" }, accessory));
}

function inputNode(block, surface, world, error) {
  const { element } = block;
  const id = `${surface.id}/${block.block_id}/${element.action_id}`;
  const described = [block.hint && `${id}/hint`, error && `${id}/error`].filter(Boolean).join(" ") || null;
  const grouped = /checkboxes|radio_buttons|^multi_|external/.test(element.type);
  const label = [...plainText(block.label.text), block.optional ? el("span", { class: "optional" }, " (optional)") : null];
  const node = isField(element)
    ? field(element, block, surface, world, {
      label: block.label.text, labelId: `${id}/label`, describedBy: described, required: !block.optional, dispatches: block.dispatch_action === true,
    })
    : unsupported(element.type);
  if (error) node.setAttribute("aria-invalid", "true");
  const wrap = el("div", { class: error ? "input invalid" : "input" },
    el(grouped ? "div" : "label", { class: "label", id: `${id}/label`, for: grouped ? null : id }, label),
    node,
    el("p", { class: "error", id: `${id}/error`, role: "alert", hidden: !error }, error ?? ""),
    block.hint && el("p", { class: "hint", id: `${id}/hint` }, plainText(block.hint.text)));
  wrap.dataset.required = String(!block.optional && isField(element));
  return wrap;
}

function content(block, surface, world, error) {
  switch (block.type) {
    case "header": return el("h3", {}, plainText(block.text.text));
    case "divider": return el("hr");
    case "section": return sectionNode(block, surface, world);
    case "context": return el("div", { class: "context" },
      block.elements.map((one) => (one.type === "image" ? imageNode(one) : el("span", { class: "text" }, textNodes(one, world)))));
    case "actions": return el("div", { class: "actions" }, block.elements.map((one) => elementNode(one, block, surface, world)));
    case "input": return inputNode(block, surface, world, error);
    case "rich_text": return el("div", { class: "rich" }, richText(block, world));
    case "image": return el("figure", {}, block.title && el("figcaption", {}, plainText(block.title.text)), imageNode(block));
    default: return unsupported(block.type);
  }
}

function blockNode(block, surface, world, error) {
  try {
    return el("div", { class: `block ${block.type}-block`, data: { blockId: block.block_id } }, content(block, surface, world, error));
  } catch (fault) { // one malformed block must not take the page away
    return el("div", { class: "block", data: { blockId: block.block_id } }, el("span", { class: "unsupported" }, `broken ${block.type} block: ${fault.message}`));
  }
}

/** Bring `parent` up to date with `blocks`; what was typed stays where block id and action id stay. `errors`: {block_id: sentence}. */
export function drawBlocks(parent, blocks, surface, world, errors = {}) {
  parent.classList.add("blocks");
  const seen = new Map();
  reconcile(parent, blocks.map((block, index) => {
    const name = block.block_id ?? `at ${index}`;
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return {
      key: `${name} ${times}`,
      sig: JSON.stringify([block, errors[block.block_id], world.sig]),
      build: (old) => {
        const node = blockNode(block, surface, world, errors[block.block_id]);
        if (old) carryValues(old, node);
        return node;
      },
    };
  }));
}

/** What keeps a form from being sent, by block id, in words; {} when nothing does. */
export function missing(root) {
  const errors = {};
  for (const wrap of root.querySelectorAll(".input")) {
    const node = wrap.querySelector("[data-action-id]");
    if (!node?.field) continue;
    const value = node.field.get();
    const empty = value === null || value === "" || (Array.isArray(value) && !value.length);
    const words = node.field.check?.() ?? (empty && wrap.dataset.required === "true" ? "This is required." : null);
    if (words) errors[wrap.closest("[data-block-id]").dataset.blockId] = words;
  }
  return errors;
}

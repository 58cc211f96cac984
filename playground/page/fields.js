// Block Kit's elements that hold a value. Each node carries `field`: {get(), set(value), focus(), check()?}, values as plain JSON.

import { instantOf, isoMinute } from "./dates.js";
import { el } from "./dom.js";
import { textNodes } from "./mrkdwn.js";
import { picker } from "./picker.js";

const TYPING_MS = 300;
const KIND_WORDS = { guest: "guest", stranger: "from another company", bot: "app", deactivated: "deactivated" };

const optionOf = (option) => ({ value: option.value, label: option.text.text, note: option.description?.text });
const optionsOf = (element) => (element.option_groups ? element.option_groups.flatMap((group) => group.options) : element.options ?? []).map(optionOf);

const peopleOptions = (world) => world.people
  .filter((person) => person.kind !== "deactivated")
  .map((person) => ({ value: person.id, label: person.real_name || person.name, note: KIND_WORDS[person.kind] }));

function conversationOptions(world, filter) {
  const wanted = filter?.include;
  const channels = world.channels
    .filter((one) => !one.archived && (!wanted || wanted.includes(one.kind === "im" ? "im" : "public")))
    .map((one) => ({ value: one.id, label: one.kind === "im" ? one.name : `#${one.name}` }));
  return channels;
}

/** Let `node` be the field itself: an input, a textarea or a select. */
function native(node, { check, toValue = (raw) => raw || null, fromValue = (value) => value ?? "" } = {}) {
  node.field = {
    get: () => toValue(node.value),
    set: (value) => { node.value = fromValue(value); },
    focus: () => node.focus(),
    check,
  };
  return node;
}

const naming = (at) => ({
  id: at.id, "aria-label": at.labelId ? null : at.label, "aria-describedby": at.describedBy, "aria-required": at.required ? "true" : null,
  data: { actionId: at.element.action_id },
});

function textInput(at) {
  const { element } = at;
  const limits = { minlength: element.min_length, maxlength: element.max_length };
  const node = el(element.multiline ? "textarea" : "input", {
    ...naming(at), ...limits, ...(element.multiline ? { rows: 4 } : { type: "text" }),
    value: element.initial_value ?? "", placeholder: element.placeholder?.text, autocomplete: "off", spellcheck: "false",
  });
  const onCharacter = element.dispatch_action_config?.trigger_actions_on?.includes("on_character_entered");
  let timer;
  if (at.dispatches && onCharacter) {
    node.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(at.changed, TYPING_MS); });
  } else if (at.dispatches) {
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || (element.multiline && !event.ctrlKey && !event.metaKey)) return;
      event.preventDefault();
      at.changed();
    });
  }
  return native(node, {
    check: () => {
      const length = node.value.length;
      if (length && length < (element.min_length ?? 0)) return `Type at least ${element.min_length} characters; these are ${length}.`;
      return length > (element.max_length ?? 3000) ? `Type no more than ${element.max_length ?? 3000} characters; these are ${length}.` : null;
    },
  });
}

function typedInput(type) {
  return (at) => native(el("input", {
    ...naming(at), type, value: at.element.initial_value ?? "", placeholder: at.element.placeholder?.text, on: { change: at.changed },
  }));
}

function numberInput(at) {
  const { element } = at;
  const node = el("input", {
    ...naming(at), type: "number", inputmode: "decimal", step: element.is_decimal_allowed ? "any" : "1",
    min: element.min_value, max: element.max_value, value: element.initial_value ?? "", placeholder: element.placeholder?.text, on: { change: at.changed },
  });
  const bounds = [element.min_value && `at least ${element.min_value}`, element.max_value && `at most ${element.max_value}`].filter(Boolean).join(" and ");
  return native(node, {
    check: () => (node.validity.valid ? null : `Type a ${element.is_decimal_allowed ? "" : "whole "}number${bounds && `, ${bounds}`}.`),
  });
}

const dateInput = (type, initial) => (at) => native(el("input", { ...naming(at), type, value: at.element[initial] ?? "", on: { change: at.changed } }));

function datetimeInput(at) {
  const { tz } = at.world;
  const shown = (seconds) => (seconds ? isoMinute(Number(seconds) * 1000, tz) : "");
  const node = el("input", { ...naming(at), type: "datetime-local", title: `In ${tz}`, value: shown(at.element.initial_date_time), on: { change: at.changed } });
  return native(node, { toValue: (raw) => (raw ? instantOf(raw.slice(0, 16), tz) / 1000 : null), fromValue: shown });
}

function nativeSelect(at, options, groups, initial) {
  const option = ({ value, label, note }) => el("option", { value }, note ? `${label} (${note})` : label);
  const node = el("select", { ...naming(at), on: { change: at.changed } },
    el("option", { value: "", disabled: at.required || at.dispatches }, at.element.placeholder?.text ?? "Choose"),
    groups ? groups.map((group) => el("optgroup", { label: group.label.text }, group.options.map(optionOf).map(option))) : options.map(option));
  node.value = initial ?? "";
  if (node.selectedIndex < 0) node.value = "";
  native(node);
  node.field.set = (value) => { if ([...node.options].some((one) => one.value === (value ?? ""))) node.value = value ?? ""; };
  return node;
}

function choices(type, initialOf) {
  return (at) => {
    const { element, world } = at;
    const initial = initialOf(element);
    const boxes = element.options.map((option) => el("input", {
      type, name: at.id, value: option.value, checked: initial.includes(option.value), data: { value: option.value }, on: { change: at.changed },
    }));
    const node = el("div", {
      ...naming(at), role: type === "radio" ? "radiogroup" : "group", class: "choices", "aria-labelledby": at.labelId,
    }, element.options.map((option, index) => el("label", { class: "option" }, boxes[index],
      el("span", {}, textNodes(option.text, world), option.description && el("small", {}, textNodes(option.description, world))))));
    const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
    node.field = {
      get: () => (type === "radio" ? chosen()[0] ?? null : chosen()),
      set: (value) => boxes.forEach((box) => { box.checked = [value ?? []].flat().includes(box.value); }),
      focus: () => boxes[0]?.focus(),
    };
    return node;
  };
}

function chooser(at, { multiple, load, initial, remote = false }) {
  const { element } = at;
  const known = remote ? [] : load("");
  const chosen = initial.map((one) => (one.value ? one : known.find((option) => option.value === one) ?? { value: one, label: one }));
  return picker({
    name: at.id, label: at.label, placeholder: element.placeholder?.text ?? "Choose", data: { actionId: element.action_id }, multiple, remote, load, chosen,
    most: element.max_selected_items, leastQuery: remote ? element.min_query_length ?? 3 : 0, changed: at.changed,
  });
}

const external = (multiple) => (at) => chooser(at, {
  multiple, remote: true, load: async (query) => (await at.options(query)).map(optionOf),
  initial: (multiple ? at.element.initial_options ?? [] : [at.element.initial_option].filter(Boolean)).map(optionOf),
});

const FIELDS = {
  plain_text_input: textInput,
  number_input: numberInput,
  email_text_input: typedInput("email"),
  url_text_input: typedInput("url"),
  datepicker: dateInput("date", "initial_date"),
  timepicker: dateInput("time", "initial_time"),
  datetimepicker: datetimeInput,
  checkboxes: choices("checkbox", (element) => (element.initial_options ?? []).map((option) => option.value)),
  radio_buttons: choices("radio", (element) => [element.initial_option?.value].filter(Boolean)),
  static_select: (at) => nativeSelect(at, optionsOf(at.element), at.element.option_groups, at.element.initial_option?.value),
  users_select: (at) => nativeSelect(at, peopleOptions(at.world), null, at.element.initial_user),
  conversations_select: (at) => nativeSelect(at, conversationOptions(at.world, at.element.filter), null,
    at.element.initial_conversation ?? (at.element.default_to_current_conversation ? at.channel : null)),
  channels_select: (at) => nativeSelect(at, conversationOptions(at.world, { include: ["public"] }), null, at.element.initial_channel),
  external_select: external(false),
  multi_external_select: external(true),
  multi_static_select: (at) => chooser(at, {
    multiple: true, load: () => optionsOf(at.element), initial: (at.element.initial_options ?? []).map(optionOf),
  }),
  multi_users_select: (at) => chooser(at, { multiple: true, load: () => peopleOptions(at.world), initial: at.element.initial_users ?? [] }),
  multi_conversations_select: (at) => chooser(at, {
    multiple: true, load: () => conversationOptions(at.world, at.element.filter), initial: at.element.initial_conversations ?? [],
  }),
  multi_channels_select: (at) => chooser(at, {
    multiple: true, load: () => conversationOptions(at.world, { include: ["public"] }), initial: at.element.initial_channels ?? [],
  }),
};

export const isField = (element) => Object.hasOwn(FIELDS, element.type);

/**
 * The node of a field. `at`: {element, id, label (words), labelId?, describedBy?, required, world, channel?, dispatches, changed(), options(query)}.
 */
export const fieldNode = (at) => FIELDS[at.element.type](at);

/** The values of all fields under `root`: {block_id: {action_id: value}}. */
export function readValues(root) {
  const values = {};
  for (const node of root.querySelectorAll("[data-action-id]")) {
    const block = node.closest("[data-block-id]")?.dataset.blockId;
    if (node.field && block !== undefined) (values[block] ??= {})[node.dataset.actionId] = node.field.get();
  }
  return values;
}

/** Carry what was chosen or typed in `old` over to the fields of `fresh` with the same action ids, as Slack does on views.update. */
export function carryValues(old, fresh) {
  const before = new Map([...old.querySelectorAll("[data-action-id]")].filter((node) => node.field).map((node) => [node.dataset.actionId, node]));
  for (const node of fresh.querySelectorAll("[data-action-id]")) {
    const was = before.get(node.dataset.actionId);
    if (!was || !node.field || was.tagName !== node.tagName) continue;
    if (was.field.carry && node.field.carry) node.field.carry(was.field);
    else node.field.set(was.field.get());
  }
}

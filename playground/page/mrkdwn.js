// Slack's mrkdwn and plain_text as DOM nodes. What people typed only ever becomes text nodes.

import { timeNode } from "./dates.js";
import { el } from "./dom.js";
import { SHORT_NAME, emojiNode } from "./emoji.js";

const STYLES = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;
const BARE_URL = /^https?:\/\/[^\s<>|]*[^\s<>|.,;:!?)\]'"*_~]/i;
const FENCE = /```\n?([\s\S]+?)\n?```/g;
const QUOTED = /^(?:>|&gt;) ?/;

const unescape = (text) => text.replace(/&(lt|gt|amp);/g, (_, name) => ({ lt: "<", gt: ">", amp: "&" })[name]);

export const isSafeUrl = (url) => /^(https?:\/\/|mailto:)/i.test(url);

export const linkNode = (url, label) =>
  isSafeUrl(url) ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label || url) : document.createTextNode(label || url);

const mention = (words, mine = false) => el("span", { class: mine ? "mention mine" : "mention" }, words);

export const userMention = (id, world) => mention(`@${world.nameOf(id)}`, id === world.me);
export const groupMention = (id, world) => {
  const group = world.groups.find((one) => one.id === id);
  return mention(`@${group?.handle ?? id}`, group?.users.includes(world.me));
};
export const channelMention = (id, world, label) => mention(`#${world.channels.find((one) => one.id === id)?.name ?? label ?? id}`);
export const broadcastMention = (range) => mention(`@${range}`, true);

/** A date entity: the tokens in the reader's zone, or the fallback where the instant makes no sense. */
export function dateNode(seconds, format, url, fallback, world) {
  const ms = Number(seconds) * 1000;
  if (!format || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return document.createTextNode(fallback || String(seconds));
  const node = timeNode(format, ms, world.tz, world.now());
  if (!url || !isSafeUrl(url)) return node;
  const link = linkNode(url, " ");
  link.replaceChildren(node);
  return link;
}

function entity(body, world) {
  const bar = body.indexOf("|");
  const [target, label] = bar < 0 ? [body, ""] : [body.slice(0, bar), unescape(body.slice(bar + 1))];
  if (target.startsWith("@")) return userMention(target.slice(1), world);
  if (target.startsWith("#")) return channelMention(target.slice(1), world, label);
  if (target.startsWith("!subteam^")) return groupMention(target.split("^")[1], world);
  if (target.startsWith("!date^")) {
    const [, seconds, format, url] = target.split("^");
    return dateNode(seconds, unescape(format ?? ""), url && unescape(url), label, world);
  }
  if (target.startsWith("!")) return broadcastMention(target.slice(1));
  return linkNode(unescape(target), label);
}

/** Where the style opened at `from` by `mark` closes, or -1. Entities and code in between are skipped. */
function closing(text, from, mark) {
  for (let at = from + 1; at < text.length && text[at] !== "\n"; at += 1) {
    const skip = text[at] === "<" ? text.indexOf(">", at) : text[at] === "`" ? text.indexOf("`", at + 1) : -1;
    if (skip > 0) at = skip;
    else if (text[at] === mark && at > from + 1 && !/\s/.test(text[at - 1]) && !WORD.test(text[at + 1] ?? " ")) return at;
  }
  return -1;
}

/** The node that begins at `at` and where it ends, or null where there is only text. */
function token(text, at, world) {
  const char = text[at];
  const rest = text.slice(at);
  const before = text[at - 1] ?? " ";
  if (char === "<") {
    const found = /^<([^<>\n]+)>/.exec(rest);
    return found && [entity(found[1], world), at + found[0].length];
  }
  if (char === "`") {
    const found = /^`([^`\n]+)`/.exec(rest);
    return found && [el("code", {}, unescape(found[1])), at + found[0].length];
  }
  if (char === ":") {
    const found = SHORT_NAME.exec(rest);
    return found && [emojiNode(found[1]), at + found[0].length];
  }
  if (STYLES[char] && !WORD.test(before) && !/\s/.test(text[at + 1] ?? " ")) {
    const end = closing(text, at, char);
    return end > 0 ? [el(STYLES[char], {}, inline(text.slice(at + 1, end), world)), end + 1] : null;
  }
  if (/h/i.test(char) && !WORD.test(before)) {
    const found = BARE_URL.exec(rest);
    return found && [linkNode(unescape(found[0]), ""), at + found[0].length];
  }
  return null;
}

function inline(text, world) {
  const nodes = [];
  let start = 0;
  let at = 0;
  while (at < text.length) {
    const found = token(text, at, world);
    if (!found) {
      at += 1;
      continue;
    }
    if (at > start) nodes.push(unescape(text.slice(start, at)));
    nodes.push(found[0]);
    start = at = found[1];
  }
  if (start < text.length) nodes.push(unescape(text.slice(start)));
  return nodes;
}

function lines(text, world) {
  const groups = [];
  for (const line of text.replace(/^\n|\n$/g, "").split("\n")) {
    const quoted = QUOTED.test(line);
    const words = quoted ? line.replace(QUOTED, "") : line;
    if (groups.at(-1)?.quoted === quoted) groups.at(-1).lines.push(words);
    else groups.push({ quoted, lines: [words] });
  }
  return groups.map(({ quoted, lines: some }) => {
    const nodes = inline(some.join("\n"), world);
    return quoted ? el("blockquote", {}, nodes) : nodes;
  });
}

/** `mrkdwn` text as a list of nodes. */
export function mrkdwn(text, world) {
  const nodes = [];
  let start = 0;
  for (const fence of text.matchAll(FENCE)) {
    if (fence.index > start) nodes.push(lines(text.slice(start, fence.index), world));
    nodes.push(el("pre", {}, unescape(fence[1])));
    start = fence.index + fence[0].length;
  }
  if (start < text.length) nodes.push(lines(text.slice(start), world));
  return nodes.flat(Infinity);
}

/** `plain_text` as a list of nodes: emoji short names only, and none when `emoji` is false. */
export function plainText(text, emoji = true) {
  if (!emoji) return [text];
  return text.split(/(:[a-z0-9_+'-]+:(?::skin-tone-\d:)?)/).map((piece) => {
    const found = SHORT_NAME.exec(piece);
    return found ? emojiNode(found[1]) : piece;
  });
}

/** A text object of Block Kit as a list of nodes. */
export const textNodes = (object, world) =>
  object?.type === "mrkdwn" ? mrkdwn(object.text, world) : plainText(object?.text ?? "", object?.emoji !== false);

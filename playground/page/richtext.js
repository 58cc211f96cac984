// rich_text blocks as DOM nodes.

import { el } from "./dom.js";
import { emojiNode } from "./emoji.js";
import { broadcastMention, channelMention, dateNode, groupMention, linkNode, userMention } from "./mrkdwn.js";

const STYLE_TAGS = { bold: "strong", italic: "em", strike: "s", underline: "u", code: "code" };

/** A visible box for what this page cannot show. */
export const unsupported = (type) => el("span", { class: "unsupported" }, `unsupported block: ${type ?? "without a type"}`);

function leaf(element, world) {
  switch (element.type) {
    case "text": return document.createTextNode(element.text);
    case "link": return linkNode(element.url, element.text);
    case "emoji": return emojiNode(element.name);
    case "user": return userMention(element.user_id, world);
    case "usergroup": return groupMention(element.usergroup_id, world);
    case "channel": return channelMention(element.channel_id, world);
    case "broadcast": return broadcastMention(element.range);
    case "date": return dateNode(element.timestamp, element.format, element.url, element.fallback, world);
    case "color": return el("code", {}, element.value);
    default: return unsupported(element.type);
  }
}

const styled = (element, world) =>
  Object.entries(STYLE_TAGS).reduceRight(
    (node, [style, tag]) => (element.style?.[style] ? el(tag, {}, node) : node), leaf(element, world));

const run = (elements, world) => elements.map((element) => styled(element, world));

/** Lists of Slack are flat, with an indent each: one that follows deeper belongs inside the item before it. */
function listNode(list, world) {
  const ordered = list.style === "ordered";
  const node = el(ordered ? "ol" : "ul", { class: `indent-${Math.min(list.indent ?? 0, 5)}`, start: ordered && list.offset ? list.offset + 1 : null });
  node.append(...list.elements.map((item) => el("li", {}, run(item.elements, world))));
  return node;
}

/** The nodes of one rich_text block. */
export function richText(block, world) {
  return block.elements.map((element) => {
    switch (element.type) {
      case "rich_text_section": return el("p", {}, run(element.elements, world));
      case "rich_text_list": return listNode(element, world);
      case "rich_text_preformatted": return el("pre", {}, run(element.elements, world));
      case "rich_text_quote": return el("blockquote", {}, run(element.elements, world));
      default: return unsupported(element.type);
    }
  });
}

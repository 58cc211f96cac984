// Block Kit's confirm objects: a question in its own dialog before an action is sent.

import { el } from "./dom.js";
import { plainText, textNodes } from "./mrkdwn.js";

let world = null;

/** Whom the questions speak to: set on each redraw. */
export const speakTo = (reader) => { world = reader; };

/** Resolves to true when the person confirmed; Escape and Cancel are false. */
export function confirmDialog(question) {
  return new Promise((resolve) => {
    const deny = el("button", { type: "button", class: "button", data: { confirm: "no" }, on: { click: () => dialog.close() } }, plainText(question.deny?.text ?? "Cancel"));
    const accept = el("button", { type: "button", class: `button ${question.style ?? "primary"}`, data: { confirm: "yes" }, on: { click: () => dialog.close("yes") } },
      plainText(question.confirm?.text ?? "Yes"));
    const dialog = el("dialog", { class: "confirm", role: "alertdialog", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text" },
      el("h2", { id: "confirm-title" }, plainText(question.title?.text ?? "Are you sure?")),
      el("div", { id: "confirm-text", class: "text" }, textNodes(question.text, world)),
      el("div", { class: "foot" }, deny, accept));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    (question.style === "danger" ? deny : accept).focus();
  });
}

// The stack of modals: one <dialog> each, the top one last.

import { drawBlocks, missing } from "./blocks.js";
import { el, keepingFocus, reconcile, rememberFocus, restoreFocus } from "./dom.js";
import { readValues } from "./fields.js";
import { plainText } from "./mrkdwn.js";

const FOCUSABLE = "a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]), summary";

/** A Modal shows one view: {view, dialog, errors}. Errors are those of the last submission; a new content of the view clears them. */
class Modal {
  constructor(view, page) {
    this.page = page;
    this.view = view;
    this.errors = {};
    this.titleId = `${view.id}/title`;
    this.body = el("div", { class: "body" });
    this.status = el("p", { class: "status", role: "alert" });
    this.foot = el("div", { class: "foot" });
    this.title = el("h2", { id: this.titleId });
    this.form = el("form", { novalidate: true, on: { submit: (event) => { event.preventDefault(); this.submit(); } } },
      el("header", {}, this.title, el("button", { type: "button", class: "quiet close", "aria-label": "Close", title: "Close", on: { click: () => this.close() } }, "✕")),
      this.body, this.status, this.foot);
    this.dialog = el("dialog", { class: "modal", "aria-labelledby": this.titleId, data: { viewId: view.id } }, this.form);
    this.dialog.addEventListener("cancel", (event) => { if (event.target === this.dialog) { event.preventDefault(); this.close(); } });
    this.dialog.addEventListener("close", (event) => event.target === this.dialog && !this.gone && this.close()); // a second Escape cannot be prevented
    this.dialog.addEventListener("keydown", (event) => this.turnFocus(event));
    this.surface = {
      id: view.id,
      act: (ids) => this.tell(page.send({ type: "view_action", view_id: view.id, ...ids })),
      options: (ids, query) => page.options({ view_id: view.id, ...ids, query }),
    };
  }

  async tell(answer) {
    const { ok, error } = await answer;
    this.status.textContent = ok ? "" : error ?? "";
  }

  draw(view) {
    if (JSON.stringify(view.blocks) !== JSON.stringify(this.view.blocks)) this.errors = {};
    this.view = view;
    this.title.replaceChildren(...plainText(view.title?.text ?? ""));
    drawBlocks(this.body, view.blocks ?? [], this.surface, this.page.world(), { ...view.errors, ...this.errors });
    reconcile(this.foot, [
      { key: "close", sig: view.close?.text, build: () => el("button", { type: "button", class: "button", data: { modal: "close" }, on: { click: () => this.close() } },
        plainText(view.close?.text ?? (view.submit ? "Cancel" : "Close"))) },
      ...(view.submit ? [{ key: "submit", sig: view.submit.text, build: () => el("button", { type: "submit", class: "button primary", data: { modal: "submit" } }, plainText(view.submit.text)) }] : []),
    ]);
  }

  open() {
    this.opener = rememberFocus();
    this.dialog.showModal();
    const first = [...this.body.querySelectorAll("[data-action-id]")].find((node) => node.field);
    if (first) first.field.focus();
    else this.foot.lastElementChild.focus();
  }

  async submit() {
    if (this.busy) return;
    this.show(missing(this.body));
    if (Object.keys(this.errors).length) return;
    this.busy = true;
    this.form.setAttribute("aria-busy", "true");
    const answer = await this.page.send({ type: "submit", view_id: this.view.id, values: readValues(this.body) });
    this.busy = false;
    this.form.removeAttribute("aria-busy");
    this.show(answer.errors ?? {});
    const elsewhere = Object.entries(this.errors).filter(([block]) => !this.blockOf(block));
    this.status.textContent = answer.ok ? "" : [answer.error, ...elsewhere.map(([, words]) => words)].filter(Boolean).join(" ");
  }

  blockOf(id) {
    return this.body.querySelector(`.input-block[data-block-id="${CSS.escape(id)}"]`);
  }

  /** Put a sentence under each field of `errors` and the focus on the first of them. */
  show(errors) {
    this.errors = errors;
    if (this.gone) return;
    keepingFocus(() => this.draw(this.view));
    const first = Object.keys(errors).map((id) => this.blockOf(id)).find(Boolean);
    first?.querySelector("[data-action-id]")?.field?.focus();
  }

  async close() {
    if (this.closing) return;
    this.closing = true;
    const answer = await this.page.send({ type: "close", view_id: this.view.id });
    this.closing = answer.ok; // what leaves the stack is taken away by the next state
    if (!answer.ok) this.status.textContent = answer.error ?? "";
    if (!answer.ok && !this.gone && !this.dialog.open) this.dialog.showModal();
  }

  /** Round and round: by itself the focus would leave for the browser's own bars. */
  turnFocus(event) {
    if (event.key !== "Tab") return;
    const stops = [...this.dialog.querySelectorAll(FOCUSABLE)].filter((node) => node.getClientRects().length);
    const [from, to] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
    if (document.activeElement !== from) return;
    event.preventDefault();
    to.focus();
  }

  leave() {
    this.gone = true;
    this.dialog.close();
    this.dialog.remove();
    restoreFocus(this.opener);
  }
}

/** `page`: {send(act), options(ids), world()}. */
export function modalStack(page) {
  const open = new Map();
  return {
    draw(views) {
      const ids = new Set(views.map((view) => view.id));
      for (const [id, modal] of [...open].reverse()) {
        if (ids.has(id)) continue;
        open.delete(id);
        modal.leave();
      }
      for (const view of views) {
        const known = open.get(view.id);
        const modal = known ?? new Modal(view, page);
        modal.draw(view);
        if (known) continue;
        open.set(view.id, modal);
        document.body.append(modal.dialog);
        modal.open();
      }
    },
    /** The status line of the top modal, or null when none is open. */
    status: () => [...open.values()].at(-1)?.status ?? null,
  };
}

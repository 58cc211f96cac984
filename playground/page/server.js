// The three things the page says to the server: what happened, what are the options, and tell me everything.

const RETRY_MS = 1000;
const SILENCE = { ok: false, error: "The server did not answer, so it is not known whether this was done. The page will show it when the server is back." };

/** Send one act. Always resolves, to {ok} or {ok: false, error} or {ok: false, errors}. */
export async function post(act) {
  try {
    const response = await fetch("/page/act", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(act) });
    const answer = await response.json().catch(() => null);
    return answer && "ok" in answer ? answer : { ok: false, error: `The server answered ${response.status} and nothing that this page understands.` };
  } catch {
    return SILENCE;
  }
}

/** The options of an external select; none when the server fails. */
export async function options(ids) {
  try {
    const response = await fetch(`/page/options?${new URLSearchParams(ids)}`);
    return (await response.json()).options ?? [];
  } catch {
    return [];
  }
}

/** Whether the server is there and knows no such person: an address from another workspace, or from before a reset. */
const isUnknown = (person) => fetch(`/page/state?as=${encodeURIComponent(person)}`).then((response) => response.status >= 400 && response.status < 500, () => false);

/** Follow the workspace as `as`. `onState(state)`, `onLost()`; returns stop(). Comes back by itself after the server does. */
export function follow(as, { onState, onLost }) {
  let who = as;
  let source;
  let timer;
  let stopped = false;
  const open = () => {
    source = new EventSource(`/page/events${who ? `?as=${encodeURIComponent(who)}` : ""}`);
    source.addEventListener("state", (event) => onState(JSON.parse(event.data)));
    source.onerror = () => {
      source.close();
      if (stopped) return;
      onLost();
      timer = setTimeout(async () => {
        if (who && (await isUnknown(who))) who = null;
        if (!stopped) open();
      }, RETRY_MS);
    };
  };
  open();
  return () => {
    stopped = true;
    clearTimeout(timer);
    source.close();
  };
}

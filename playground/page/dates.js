// Instants in words, in the time zone of the person who reads them.

const DAY_MS = 86_400_000;
const MOVING = /\{ago\}|_pretty\}/;

const parts = (ms, tz, options) =>
  Object.fromEntries(new Intl.DateTimeFormat("en-US", { timeZone: tz, hourCycle: "h23", ...options }).formatToParts(ms).map((part) => [part.type, part.value]));

const wall = (ms, tz) =>
  parts(ms, tz, { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** A time zone the browser knows; UTC for one it does not. */
export function knownZone(tz) {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: tz }).resolvedOptions().timeZone;
  } catch {
    return "UTC";
  }
}

/** `2025-03-01`, on the calendar of `tz`. */
export function isoDay(ms, tz) {
  const { year, month, day } = wall(ms, tz);
  return `${year}-${month}-${day}`;
}

/** `2025-03-01T14:30`, as `<input type="datetime-local">` wants it. */
export function isoMinute(ms, tz) {
  const { hour, minute } = wall(ms, tz);
  return `${isoDay(ms, tz)}T${hour}:${minute}`;
}

/** The instant, in ms, at which the clocks of `tz` show `iso` (`2025-03-01T14:30`). */
export function instantOf(iso, tz) {
  const meant = Date.parse(`${iso}Z`);
  const shown = (ms) => Date.parse(`${isoMinute(ms, tz)}Z`);
  const guess = meant - (shown(meant) - meant);
  return guess - (shown(guess) - meant);
}

const ordinal = (day) => {
  const n = Number(day);
  const teen = n % 100 > 10 && n % 100 < 14;
  return `${n}${(!teen && { 1: "st", 2: "nd", 3: "rd" }[n % 10]) || "th"}`;
};

function dateWords(ms, tz, now, length) {
  const far = Math.abs(ms - now) > 182 * DAY_MS; // Slack leaves out the year of a date less than six months away
  const { year, month, day, weekday } = parts(ms, tz, {
    year: "numeric", month: length === "short" ? "short" : "long", day: "numeric", weekday: "long",
  });
  if (length === "short") return `${month} ${day}${far ? `, ${year}` : ""}`;
  return `${length === "long" ? `${weekday}, ` : ""}${month} ${ordinal(day)}${far ? `, ${year}` : ""}`;
}

function relativeDay(ms, tz, now) {
  const days = Math.round((Date.parse(isoDay(ms, tz)) - Date.parse(isoDay(now, tz))) / DAY_MS);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
}

/** `3 minutes ago`, `in 2 hours`. */
export function ago(ms, now) {
  const seconds = (ms - now) / 1000;
  if (Math.abs(seconds) < 45) return seconds > 0 ? "in a moment" : "just now";
  const minutes = Math.round(Math.abs(seconds) / 60);
  const [unit, size] = minutes < 60 ? ["minute", 60] : minutes < 36 * 60 ? ["hour", 3_600] : ["day", 86_400];
  return new Intl.RelativeTimeFormat("en", { numeric: "always" }).format(Math.round(seconds / size), unit);
}

/** `2 h 5 min`, `45 s`; of a length in ms, without its sign. */
export function lengthWords(ms) {
  const seconds = Math.round(Math.abs(ms) / 1000);
  const pieces = [["d", 86_400, Infinity], ["h", 3_600, 24], ["min", 60, 60], ["s", 1, 60]]
    .map(([unit, size, wrap]) => [Math.floor(seconds / size) % wrap || 0, unit])
    .filter(([count]) => count > 0);
  return pieces.slice(0, 2).map(([count, unit]) => `${count} ${unit}`).join(" ") || "0 s";
}

export const clockTime = (ms, tz) => `${wall(ms, tz).hour}:${wall(ms, tz).minute}`;
export const clockSeconds = (ms, tz) => `${clockTime(ms, tz)}:${wall(ms, tz).second}`;

/** The words of a message list's day rule: `Today`, `Yesterday`, `Monday, March 3rd`. */
export function dayWords(ms, tz, now) {
  const words = relativeDay(ms, tz, now) ?? dateWords(ms, tz, now, "long");
  return words[0].toUpperCase() + words.slice(1);
}

/** Slack's date tokens in `format` filled in for the instant `ms`. A token nobody knows stays as it is. */
export function fillDate(format, ms, tz, now) {
  const plain = {
    date_num: () => isoDay(ms, tz),
    date_slash: () => `${wall(ms, tz).month}/${wall(ms, tz).day}/${wall(ms, tz).year}`,
    date: () => dateWords(ms, tz, now, "plain"),
    date_long: () => dateWords(ms, tz, now, "long"),
    date_long_full: () => dateWords(ms, tz, -Infinity, "plain"),
    date_short: () => dateWords(ms, tz, now, "short"),
    day_divider_pretty: () => dayWords(ms, tz, now),
    time: () => clockTime(ms, tz),
    time_secs: () => clockSeconds(ms, tz),
    ago: () => ago(ms, now),
  };
  return format.replace(/\{(\w+)\}/g, (token, name) => {
    if (plain[name]) return plain[name]();
    const base = name.endsWith("_pretty") && plain[name.slice(0, -"_pretty".length)];
    return base ? relativeDay(ms, tz, now) ?? base() : token;
  });
}

/** A `<time>` that says the instant in the reader's zone, and in UTC on hover. */
export function timeNode(format, ms, tz, now) {
  const node = document.createElement("time");
  node.dateTime = new Date(ms).toISOString();
  node.title = `${isoDay(ms, tz)} ${clockSeconds(ms, tz)} in ${tz}; ${isoDay(ms, "UTC")} ${clockSeconds(ms, "UTC")} UTC`;
  node.textContent = fillDate(format, ms, tz, now);
  if (MOVING.test(format)) Object.assign(node.dataset, { moving: format, tz });
  return node;
}

/** Let every relative date under `root` say what is true at `now`. */
export function retellDates(root, now) {
  for (const node of root.querySelectorAll("time[data-moving]")) {
    const words = fillDate(node.dataset.moving, Date.parse(node.dateTime), node.dataset.tz, now);
    if (node.textContent !== words) node.textContent = words;
  }
}

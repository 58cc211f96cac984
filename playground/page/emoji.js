// Emoji by their short names: the ones an approval bot and its people use. Any other stays `:name:`.
// A second character is a plain sign for machines that have no emoji font.

const GLYPHS = {
  alarm_clock: "⏰◔", ballot_box_with_check: "☑✓", bell: "🔔", bust_in_silhouette: "👤", busts_in_silhouette: "👥", calendar: "📆",
  card_index: "📇", clipboard: "📋", clock1: "🕐◔", eyes: "👀◉", fire: "🔥", gear: "⚙", grey_question: "❔?", hammer: "🔨", hammer_and_wrench: "🛠",
  hand: "✋", heavy_check_mark: "✔✓", heavy_multiplication_x: "✖✗", hourglass: "⌛◔", hourglass_flowing_sand: "⏳◔", information_source: "ℹi",
  key: "🔑⚿", large_blue_circle: "🔵●", large_green_circle: "🟢●", large_red_square: "🟥■", large_yellow_circle: "🟡●", leftwards_arrow_with_hook: "↩",
  link: "🔗", lock: "🔒", closed_lock_with_key: "🔐", loudspeaker: "📢", mega: "📣", memo: "📝✎", negative_squared_cross_mark: "❎✗", no_entry: "⛔⊘",
  no_entry_sign: "🚫⊘", package: "📦", paperclip: "📎", passport_control: "🛂", pencil: "✏✎", pencil2: "✏✎", point_right: "👉→", pray: "🙏",
  question: "❓?", exclamation: "❗!", raised_hand: "✋", red_circle: "🔴●", repeat: "🔁↻", rocket: "🚀", rotating_light: "🚨▲", scroll: "📜",
  shield: "🛡", ship: "🚢", slightly_smiling_face: "🙂", smile: "😄", sparkles: "✨★", stop_sign: "🛑■", stopwatch: "⏱◔", tada: "🎉★", thumbsdown: "👎",
  "-1": "👎", thumbsup: "👍", "+1": "👍", timer_clock: "⏲◔", unlock: "🔓", warning: "⚠▲", wastebasket: "🗑✗", wave: "👋", white_check_mark: "✅✓",
  wrench: "🔧", x: "❌✗", zap: "⚡↯",
};

export const SHORT_NAME = /^:([a-z0-9_+'-]+):(?::skin-tone-\d:)?/;

const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

function drawn(char) {
  const { width, height } = pen.canvas;
  pen.clearRect(0, 0, width, height);
  pen.font = "16px system-ui, sans-serif";
  pen.fillText(char, 0, 20);
  return String(pen.getImageData(0, 0, 30, 30).data);
}

const isThere = new Map();

/** Whether a font of this machine has the character: one that no font has looks like one that nobody can have. */
function hasGlyph(char) {
  if (!isThere.has(char)) isThere.set(char, drawn(char) !== drawn("\u{10FFFE}"));
  return isThere.get(char);
}

/** The picture of a short name, with the name for who cannot see it; or `:name:`. */
export function emojiNode(name) {
  const glyph = Object.hasOwn(GLYPHS, name) && [...GLYPHS[name]].find(hasGlyph);
  if (!glyph) return document.createTextNode(`:${name}:`);
  const node = document.createElement("span");
  node.className = "emoji";
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", name.replaceAll("_", " "));
  node.title = `:${name}:`;
  node.textContent = glyph;
  return node;
}

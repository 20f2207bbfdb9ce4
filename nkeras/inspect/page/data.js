// What Python wrote: the model's boxes, and arrays in base64 that are decoded when they are shown.

const page = JSON.parse(document.getElementById("page").textContent);
const boxes = page.boxes;
const decoded = new Map(), sheets = new Map(), news = new Map();
const MOST_SHEETS = 12;  // that stay decoded

function bytesOf(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/** The text of an array or a sheet; null before all of it has come: then something stands behind it. */
function textOf(name) {
  const found = document.getElementById(name);
  return found && (state.isLoaded || found.nextSibling) ? found.textContent : news.get(name) ?? null;
}

/** The numbers of an array by itself, as float32; null before it has come. */
function numbers(about) {
  if (about.text !== undefined) return about.numbers || (about.numbers = new Float32Array(bytesOf(about.text).buffer));
  if (!decoded.has(about.id)) {
    const text = textOf(about.id);
    if (text === null) return null;
    decoded.set(about.id, new Float32Array(bytesOf(text).buffer));
  }
  return decoded.get(about.id);
}

/** The bytes of what all layers gave for a sample at a moment; null before they have come. */
function sheetOf(moment, sample) {
  const name = `s${moment}-${sample}`;
  if (!sheets.has(name)) {
    const text = textOf(name);
    if (text === null) return null;
    if (sheets.size >= MOST_SHEETS) sheets.delete(sheets.keys().next().value);
    sheets.set(name, bytesOf(text));
  }
  return sheets.get(name);
}

const size = shape => shape.reduce((a, b) => a * b, 1);

/** Whether a sample is shown, whether all arrays, which stand behind this script, have come, and whether some were missed. */
const state = { isShown: false, isLoaded: false, isMissing: false };

/** What a box gives for a recorded sample: shape and numbers, without the batch. */
function recorded(box, sample) {
  const about = box.values;
  if (!about) return null;
  if (about.known && about.known.sample === sample) return about.known;
  const sheet = sheetOf(shown.moment, sample), shape = about.shape.slice(1), count = size(shape);
  if (!sheet) { state.isMissing = true; return null; }
  const data = about.scale === undefined ? new Float32Array(sheet.buffer, about.at, count)
    : Float32Array.from(sheet.subarray(about.at, about.at + count), level => level === 255 ? NaN : about.low + about.scale * level);
  return about.known = { sample, shape, data, step: about.step };
}

/** Which sample is shown, or -1 for the user's own input, what the layers give for that, and which moment of training. */
const shown = { sample: 0, own: null, moment: 0 };

/** Show the values and weights of a moment of training; where its weights were not kept, own inputs meet the last ones. */
function setMoment(moment) {
  shown.moment = moment;
  for (const box of boxes) {
    const facts = box.moments[moment] || {}, last = box.moments[page.moments.length - 1] || {};
    if (box.values) box.values.known = null;
    Object.assign(box, { values: facts.values, scores: facts.scores, norm: facts.norm, spreads: facts.spreads || [] });
    if (box.live) Object.assign(box.live, { weights: facts.weights || last.weights || {}, isLater: !facts.weights && !!last.weights });
  }
}
setMoment(page.moments.length - 1);

function valueOf(number) {
  if (shown.sample < 0) return shown.own ? shown.own[number] : null;
  return recorded(boxes[number], shown.sample);
}

/** A number in few characters. */
function words(x) {
  if (x === null || x === undefined) return "";
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : x > 0 ? "∞" : "−∞";
  const text = Math.abs(x) >= 1e5 || (x !== 0 && Math.abs(x) < 1e-3) ? x.toExponential(2) : String(+x.toPrecision(4));
  return text.replace("-", "−");
}

function scaled(x, unit) {
  const steps = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]];
  const [by, letter] = steps.find(([by]) => x >= by) || [1, ""];
  return `${+(x / by).toPrecision(3)} ${letter}${unit}`.trim();
}

/** An element with text that is never read as HTML. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter(child => child !== null));
  return made;
}

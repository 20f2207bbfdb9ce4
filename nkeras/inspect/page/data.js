// What Python wrote: the model's boxes, and arrays in base64 that are decoded when they are shown.

const page = JSON.parse(document.getElementById("page").textContent);
const boxes = page.boxes;
const decoded = new Map();

/** The numbers of an array, as float32; `about` is what recording.py says of it. */
function numbers(about) {
  if (about.text !== undefined) {
    if (!about.numbers) about.numbers = new Float32Array(Uint8Array.from(atob(about.text), c => c.charCodeAt(0)).buffer);
    return about.numbers;
  }
  if (!decoded.has(about.id)) {
    const text = atob(document.getElementById("a" + about.id).textContent);
    const raw = Uint8Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
    decoded.set(about.id, about.scale === undefined ? new Float32Array(raw.buffer)
      : Float32Array.from(raw, level => level === 255 ? NaN : about.low + about.scale * level));
  }
  return decoded.get(about.id);
}

const size = shape => shape.reduce((a, b) => a * b, 1);

/** Whether the arrays, which stand behind this script, have come. */
const state = { isLoaded: false };

/** What a box gives for a recorded sample: shape and numbers, without the batch. */
function recorded(box, sample) {
  if (!box.values || !state.isLoaded) return null;
  const shape = box.values.shape.slice(1), count = size(shape);
  return { shape, data: numbers(box.values).subarray(sample * count, (sample + 1) * count), step: box.values.step };
}

/** Which sample is shown, or -1 for the user's own input, what the layers give for that, and which moment of training. */
const shown = { sample: 0, own: null, moment: 0 };

/** Show the values of a moment of training. */
function setMoment(moment) {
  shown.moment = moment;
  for (const box of boxes) box.values = box.moments ? box.moments[moment] : null;
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

// Inputs: the recorded samples, and in a page that computes a pad to draw on, an image to drop, sliders.

const strip = document.getElementById("samples"), own = document.getElementById("own");

function showSamples() {
  for (let sample = 0; sample < page.samples; sample++) {
    const label = page.targets ? nameOf(page.targets[sample]) : `sample ${sample + 1}`;
    const button = element("button", { role: "option", "aria-selected": sample === 0, title: label, "aria-label": label, onclick: () => choose(sample) });
    button.append(String(sample + 1));
    strip.append(button);
  }
}

/** Put the samples' images on their buttons, one after the other so that the page answers meanwhile. */
function showThumbnails(sample = 0) {
  const first = page.inputs[0];
  if (sample >= page.samples || !boxes[first].content || !/image|wave/.test(boxes[first].content.kind)) return;
  const value = recorded(boxes[first], sample);
  if (value) strip.children[sample].replaceChildren(thumbnail(first, value));
  setTimeout(showThumbnails, 0, sample + 1);
}

const nameOf = index => page.labels && page.labels[index] !== undefined ? page.labels[index] : String(index);

/** A small picture of a sample; of frames the one in the middle. */
function thumbnail(number, value) {
  const found = picture(number, value), part = tilePart(found, found.grid.count >> 1), drawn = element("canvas", { width: part[2], height: part[3] });
  drawn.getContext("2d").drawImage(found.sheet, ...part, 0, 0, part[2], part[3]);
  return drawn;
}

/** Show a recorded sample, or with -1 what was computed for the user's own input. */
function choose(sample) {
  shown.sample = sample;
  if (sample >= 0) lastSample = sample;
  [...strip.children].forEach((button, i) => button.setAttribute("aria-selected", i === sample));
  if (chosen.unit) { const { number, flat } = chosen.unit; painted.clear(); chosen.unit = paint(number) ? unitAt(number, flat) : null; }
  repaint(); showPrediction(); showPanel(); showTable();
}

let timer = 0;
/** Compute what the layers give for own inputs, at once or soon. */
function compute(inputs) {
  lastInputs = inputs;
  if (timer) return;
  timer = requestAnimationFrame(() => {
    timer = 0;
    if (page.isServed) { ask(lastInputs); return; }  // its weights are those of now
    shown.own = forward(lastInputs);
    choose(-1);
  });
}

function offerInputs() {
  if (!page.isLive && !page.isServed) {
    own.hidden = false;
    own.append(element("h2", {}, "Recorded"), element("p", { class: "soft" }, `The page shows recorded values. ${page.reason}`));
    return;
  }
  if (page.inputs.length !== 1 || !boxes[page.inputs[0]].values) return;
  const number = page.inputs[0], shape = boxes[number].values.whole, side = Math.sqrt(size(shape));
  const isImage = shape.length >= 2 && shape.length <= 3 && (shape.length === 2 || shape[2] === 1 || shape[2] === 3) && Math.min(...shape.slice(0, 2)) >= 5;
  own.hidden = false;
  if (isImage) offerPad(number, shape[0], shape[1], shape[2] || 1);
  else if (shape.length === 1 && Number.isInteger(side) && side >= 8 && side <= 128) offerPad(number, side, side, 1);
  else if (shape.length === 1 && shape[0] <= 32) offerSliders(number, shape[0]);
  else own.hidden = true;
}

/** A canvas to draw on, as large as the input. */
function offerPad(number, rows, columns, channels) {
  const pad = element("canvas", { id: "pad", width: columns, height: rows, tabindex: 0, role: "img", "aria-label": "Draw an input here" });
  const ink = new Float32Array(rows * columns * channels), made = pad.getContext("2d"), limits = inputBounds(number);
  pad.style.aspectRatio = `${columns} / ${rows}`;
  const shape = boxes[number].values.whole;
  const show = () => {
    note.replaceChildren(hint);
    const image = made.createImageData(columns, rows), put = imagePainter({ low: 0, high: 1 }, channels);
    for (let i = 0; i < rows * columns; i++) put(ink, i, image.data, i * 4);
    made.putImageData(image, 0, 0);
    compute([{ shape, data: ink.map(v => limits.low + v * (limits.high - limits.low)) }]);
  };
  const radius = Math.max(0.9, Math.max(rows, columns) / 17);
  /** A soft dot: as wide as the strokes of the digits that such models learn. */
  const dot = (x, y) => {
    const reach = Math.ceil(radius * 2);
    for (let row = Math.max(0, Math.floor(y) - reach); row <= Math.min(rows - 1, Math.floor(y) + reach); row++)
      for (let column = Math.max(0, Math.floor(x) - reach); column <= Math.min(columns - 1, Math.floor(x) + reach); column++) {
        const far = Math.hypot(column + 0.5 - x, row + 0.5 - y), v = Math.min(1, Math.max(0, 1.4 - far / radius));
        for (let c = 0; c < channels; c++) { const i = (row * columns + column) * channels + c; ink[i] = Math.max(ink[i], v); }
      }
  };
  let last = null;
  const place = event => [event.offsetX / pad.clientWidth * columns, event.offsetY / pad.clientHeight * rows];
  const stroke = event => {
    const [x, y] = place(event), [x0, y0] = last || [x, y], steps = Math.ceil(Math.hypot(x - x0, y - y0) * 2) || 1;
    for (let i = 1; i <= steps; i++) dot(x0 + (x - x0) * i / steps, y0 + (y - y0) * i / steps);
    last = [x, y]; show();
  };
  pad.addEventListener("pointerdown", event => { pad.setPointerCapture(event.pointerId); last = null; stroke(event); });
  pad.addEventListener("pointermove", event => { if (event.buttons) stroke(event); });
  const clear = () => { ink.fill(0); show(); };
  const take = image => {
    const scaledDown = new OffscreenCanvas(columns, rows).getContext("2d");
    const scale = Math.max(columns / image.width, rows / image.height);
    scaledDown.drawImage(image, (columns - image.width * scale) / 2, (rows - image.height * scale) / 2, image.width * scale, image.height * scale);
    const { data } = scaledDown.getImageData(0, 0, columns, rows);
    for (let i = 0; i < rows * columns; i++) {
      const gray = (0.299 * data[i * 4] + 0.587 * data[i * 4 + 1] + 0.114 * data[i * 4 + 2]) / 255;
      for (let c = 0; c < channels; c++) ink[i * channels + c] = channels === 3 ? data[i * 4 + c] / 255 : gray;
    }
    show();
  };
  const hint = "Draw, or drop an image.", open = file => file && createImageBitmap(file).then(take, () => note.replaceChildren("That is no image that the browser reads."));
  const copy = () => { copySample(number, ink, limits); show(); };
  const note = element("div", { class: "soft" }, hint);
  const file = element("input", { type: "file", accept: "image/*", onchange: event => open(event.target.files[0]), "aria-label": "An image", class: "unseen", tabindex: -1 });
  own.append(element("h2", {}, "Your own input"), pad, note,
    element("div", {}, element("button", { id: "clear", onclick: clear }, "Clear"), " ", element("button", { onclick: copy }, "Copy sample"), " ", element("button", { onclick: () => file.click() }, "Open image"), file));
  document.addEventListener("dragover", event => { event.preventDefault(); own.classList.add("over"); });  // anywhere: the browser would leave the page
  document.addEventListener("dragleave", () => own.classList.remove("over"));
  document.addEventListener("drop", event => { event.preventDefault(); own.classList.remove("over"); open(event.dataTransfer.files[0]); });
  const image = made.createImageData(columns, rows);
  for (let i = 3; i < image.data.length; i += 4) image.data[i] = 255;
  made.putImageData(image, 0, 0);
}

let lastSample = 0, lastInputs = null;

/** Fill the pad with the sample that was shown last, whose places may have been thinned out. */
function copySample(number, ink, { low, high }) {
  const { shape, data, step } = recorded(boxes[number], lastSample), whole = boxes[number].values.whole, channels = whole[2] || 1, across = whole.length > 2 ? step : 1;
  if (shape.length === 1) { data.forEach((v, i) => { ink[i] = (v - low) / (high - low || 1); }); return; }
  places(whole.slice(0, 2), ([row, column], flat) => {
    const from = (Math.floor(row / step) * shape[1] + Math.floor(column / across)) * channels;
    for (let c = 0; c < channels; c++) ink[flat * channels + c] = ((data[from + c] ?? low) - low) / (high - low || 1);
  });
}

/** Show what is shown once more, for another moment of training. */
function again() {
  if (shown.sample < 0 && page.isLive && lastInputs) compute(lastInputs); else choose(Math.max(shown.sample, 0));
}

/** A slider for each number. */
function offerSliders(number, count) {
  const all = Array.from({ length: page.samples }, (_, sample) => recorded(boxes[number], sample).data), start = all[0].slice();
  own.append(element("h2", {}, "Your own input"));
  for (let i = 0; i < count; i++) {
    const { low, high } = bounds(all.map(data => data[i]));
    const room = (high - low) / 2 || Math.abs(high) || 1;
    const slider = element("input", { type: "range", min: low - room, max: high + room, step: (high - low + 2 * room) / 200, value: start[i], "aria-label": `input ${i + 1}` });
    const shownValue = element("b", {}, words(start[i]));
    slider.addEventListener("input", () => { start[i] = +slider.value; shownValue.replaceChildren(words(start[i])); compute([{ shape: [count], data: start.slice() }]); });
    own.append(element("div", { class: "bar" }, element("span", {}, `input ${i + 1}`), slider, shownValue));
  }
}

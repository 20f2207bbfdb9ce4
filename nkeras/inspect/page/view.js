// The model on a canvas: cards with what layers give, edges, the unit under the pointer and what it depends on.

const canvas = document.getElementById("view"), context = canvas.getContext("2d"), tip = document.getElementById("tip");
const camera = { x: 0, y: 0, zoom: 1 };
const chosen = { box: 0, unit: null, hover: null, fields: null };
const painted = new Map();  // content of cards by box, as small canvases
const TITLE = 20, PAD = 6;

const shade = { input: "#8a8f98", dense: "#3b78c4", convolution: "#3f8fd6", pooling: "#d9803a", normalization: "#b99a1f",
  activation: "#cc5c81", recurrent: "#1d9a8a", attention: "#8a63d2", merging: "#5f9c43", shape: "#93897a", random: "#a57a62", other: "#7d8089" };

let waiting = false;
function redraw() {
  if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; if (isSpace()) drawSpace(); else draw(); }); }
}

/** Forget what was painted: another sample, other colours. */
function repaint() { painted.clear(); forgetScene(); redraw(); }

/** Lay the model out from top to bottom (0) or from left to right (1). */
let layout = null;
function turn(number) {
  layout = page.layouts[number];
  boxes.forEach((box, i) => { box.place = layout.places[i]; });
}

const MARGIN = 24, LEAST_ZOOM = 0.2;
const zoomOf = ([w, h]) => Math.min((canvas.clientWidth - 2 * MARGIN) / w, (canvas.clientHeight - 2 * MARGIN) / h, 2.5);

/** Show the whole model; of a very long one the beginning. */
function fit() {
  const [w, h] = layout.size, isDown = layout === page.layouts[0];
  camera.zoom = Math.max(zoomOf(layout.size), LEAST_ZOOM);
  const wide = canvas.clientWidth / camera.zoom, high = canvas.clientHeight / camera.zoom, edge = MARGIN / camera.zoom;
  camera.x = !isDown && w > wide ? -edge : (w - wide) / 2;
  camera.y = isDown && h > high ? -edge : (h - high) / 2;
  redraw();
}

/** Bring a card into view. */
function reveal(number) {
  const [x, y, w, h] = boxes[number].place, wide = canvas.clientWidth / camera.zoom, high = canvas.clientHeight / camera.zoom;
  if (x < camera.x || x + w > camera.x + wide) camera.x = x + w / 2 - wide / 2;
  if (y < camera.y || y + h > camera.y + high) camera.y = y + h / 2 - high / 2;
}

/** Tiles of a card: how many numbers along each axis, and which number a pixel of a tile shows; of images which place. */
function tiles(box, value) {
  const { kind } = box.content, { shape } = value, whole = size(shape);
  if (kind === "image") {
    const [rows, columns] = shape.length === 2 ? shape : shape.slice(-3);
    return { count: shape.length > 3 ? shape[0] : 1, rows, columns, at: (tile, row, column) => (tile * rows + row) * columns + column };
  }
  if (kind === "wave") {
    const [length, channels = 1] = shape, columns = Math.min(length, 432);
    return { count: channels, rows: 1, columns, at: (tile, row, column) => Math.floor(column * length / columns) * channels + tile };
  }
  if (kind === "maps") {
    const [rows, columns, channels] = shape.slice(-3), slice = rows * columns * channels;
    return { count: Math.min(whole / (rows * columns), box.content.columns * box.content.rows), rows, columns,
      at: (tile, row, column) => Math.floor(tile / channels) * slice + (row * columns + column) * channels + tile % channels };
  }
  if (kind === "matrix") return { count: 1, rows: shape[0], columns: shape[1], at: (tile, row, column) => row * shape[1] + column };
  const { columns } = box.content;
  return { count: 1, rows: Math.ceil(whole / columns), columns, at: (tile, row, column) => { const i = row * columns + column; return i < whole ? i : -1; } };
}

/** Where a tile is in its card. */
function tilePlace(box, tile, grid, place = box.place) {
  const { content } = box, { gap } = content, isWhole = content.kind === "strip" || content.kind === "matrix";
  const width = isWhole ? content.width * grid.columns : content.width, height = isWhole ? content.height * grid.rows : content.height;
  const x = isWhole ? 0 : tile % content.columns * (width + gap), y = isWhole ? 0 : Math.floor(tile / content.columns) * (height + gap);
  const wide = isWhole ? width : content.columns * (width + gap) - gap;
  return [place[0] + (place[2] - wide) / 2 + x, place[1] + TITLE + PAD + y, width, height];
}

/** What a card shows, painted when it is first seen. */
function paint(number) {
  if (!painted.has(number)) {
    const box = boxes[number], value = box.content ? valueOf(number) : null;
    painted.set(number, value && value.data.length ? picture(number, value) : null);
  }
  return painted.get(number);
}

const WAVE = 48;  // pixels

/** The tiles of a value on one canvas, at one pixel a number, beside each other as in the card. */
function picture(number, value) {
  const box = boxes[number], grid = tiles(box, value), limits = bounds(value.data), isWave = box.content.kind === "wave";
  const { count, columns } = grid, high = isWave ? WAVE : grid.rows, across = count > 1 ? Math.min(box.content.columns, count) : 1;
  const sheet = new OffscreenCanvas(across * columns, Math.ceil(count / across) * high), drawn = sheet.getContext("2d");
  const image = drawn.createImageData(sheet.width, sheet.height), found = { grid, limits, sheet, across, high, value };
  const channels = box.content.kind === "image" ? value.shape[2] === undefined ? 1 : value.shape[value.shape.length - 1] : 0;
  const put = channels ? imagePainter(inputBounds(number), channels) : painter(limits);
  for (let tile = 0; tile < count; tile++) {
    const [left, top] = tilePart(found, tile);
    if (isWave) { paintWave(value, tile, grid, limits, image, left, top); continue; }
    for (let row = 0; row < grid.rows; row++)
      for (let column = 0, at = ((top + row) * sheet.width + left) * 4; column < columns; column++, at += 4) {
        const i = grid.at(tile, row, column);
        if (i < 0) continue;
        if (channels) put(value.data, i, image.data, at); else put(value.data[i], image.data, at);
      }
  }
  drawn.putImageData(image, 0, 0);
  return found;
}

/** Where a tile is on its canvas: left, top, width, height. */
const tilePart = ({ grid, across, high }, tile) => [tile % across * grid.columns, Math.floor(tile / across) * high, grid.columns, high];

/** A signal in time: for each column a bar from the least to the largest number. */
function paintWave({ data, shape: [length, channels = 1] }, channel, { columns }, { low, high }, image, left, top) {
  const ink = colourOf("--accent"), paper = colourOf("--card"), over = high - low || 1, row = v => Math.round((high - v) / over * (WAVE - 1));
  for (let column = 0; column < columns; column++) {
    const begin = Math.floor(column * length / columns), end = Math.max(Math.floor((column + 1) * length / columns), begin + 1);
    const part = Array.from({ length: end - begin + (end < length) }, (_, i) => data[(begin + i) * channels + channel]), found = bounds(part);
    for (let y = 0; y < WAVE; y++) image.data.set(y >= row(found.high) && y <= row(found.low) ? ink : paper, ((top + y) * image.width + left + column) * 4);
  }
}

/** The least and the largest value of an input in all samples. */
function inputBounds(number) { const [low, high] = boxes[number].range || [0, 1]; return { low, high }; }

function draw() {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = variable("--paper"); context.fillRect(0, 0, width, height);
  const { zoom } = camera;
  context.setTransform(ratio * zoom, 0, 0, ratio * zoom, -camera.x * zoom * ratio, -camera.y * zoom * ratio);
  const isSeen = ([x, y, w, h]) => x < camera.x + width / zoom && x + w > camera.x && y < camera.y + height / zoom && y + h > camera.y;
  const line = variable("--line"), card = variable("--card"), ink = variable("--ink"), lit = variable("--lit"), accent = variable("--accent"), soft = variable("--soft");
  for (const { place, name, class: kind } of layout.frames) {
    if (!isSeen(place)) continue;
    context.fillStyle = variable("--frame"); context.strokeStyle = line; context.lineWidth = 1;
    context.beginPath(); context.roundRect(...place, 8); context.fill(); context.stroke();
    context.fillStyle = ink; context.font = "600 12px system-ui, sans-serif";
    context.fillText(`${name} (${kind})`, place[0] + 12, place[1] + 17, place[2] - 20);
  }
  const isDown = layout === page.layouts[0];
  context.strokeStyle = context.fillStyle = variable("--edge"); context.lineWidth = Math.max(1.4, 1.1 / zoom);
  for (const points of layout.edges) {
    context.beginPath(); context.moveTo(...points[0]);
    for (let i = 1; i < points.length; i++) {
      const [x0, y0] = points[i - 1], [x, y] = points[i];
      if (Math.abs(x - x0) < 0.1 || Math.abs(y - y0) < 0.1) context.lineTo(x, y);
      else if (isDown) context.bezierCurveTo(x0, (y0 + y) / 2, x, (y0 + y) / 2, x, y);
      else context.bezierCurveTo((x0 + x) / 2, y0, (x0 + x) / 2, y, x, y);
    }
    context.stroke();
    const [x, y] = points[points.length - 1];
    context.beginPath(); context.moveTo(x, y);
    if (isDown) { context.lineTo(x - 4, y - 7); context.lineTo(x + 4, y - 7); } else { context.lineTo(x - 7, y - 4); context.lineTo(x - 7, y + 4); }
    context.fill();
  }
  context.imageSmoothingEnabled = false;
  const shownUnit = chosen.hover || chosen.unit;
  boxes.forEach((box, number) => {
    if (!isSeen(box.place)) return;
    const [x, y, w, h] = box.place;
    context.fillStyle = card; context.strokeStyle = number === chosen.box ? accent : line; context.lineWidth = number === chosen.box ? 2.5 : 1;
    context.beginPath(); context.roundRect(x, y, w, h, 5); context.fill(); context.stroke();
    context.fillStyle = shade[box.kind] || shade.other; context.fillRect(x + 1, y + 1, 4, h - 2);
    if (zoom >= READABLE) {
      context.fillStyle = ink; context.font = "600 11px system-ui, sans-serif";
      context.fillText(box.name, x + 11, y + 14, w - 16);
      const left = w - 24 - Math.min(context.measureText(box.name).width, w - 16), sizes = sizesOf(box);
      context.font = "10px system-ui, sans-serif";
      const wide = context.measureText(sizes).width;
      if (wide < left) { context.fillStyle = soft; context.fillText(sizes, x + w - wide - 8, y + 14); }
    }
    const content = paint(number);
    if (!content) return;
    for (let tile = 0; tile < content.grid.count; tile++) context.drawImage(content.sheet, ...tilePart(content, tile), ...tilePlace(box, tile, content.grid));
    const field = chosen.fields ? chosen.fields[number] : undefined;
    if (field !== undefined && !(shownUnit && shownUnit.number === number)) lightUp(box, content, field, lit);
  });
  if (shownUnit) outlineUnit(shownUnit, lit);
  if (zoom < READABLE) { context.setTransform(ratio, 0, 0, ratio, 0, 0); nameBeside(boxes.map((_, i) => i).filter(i => isSeen(boxes[i].place))); }
}

const READABLE = 0.75, MOST_NAMED = 400;
const sizesOf = box => box.shape ? box.shape.slice(1).map(n => n === null ? "?" : n).join(" × ") : "";

/** Names beside cards that are too small for them, where nothing else stands; in a model from left to right above or below. */
function nameBeside(seen) {
  if (seen.length > MOST_NAMED) return;
  const isDown = layout === page.layouts[0], { x, y, zoom } = camera, taken = boxes.map(({ place: [a, b, w, h] }) => [(a - x) * zoom, (b - y) * zoom, w * zoom, h * zoom]);
  const straight = layout.edges.flatMap(points => points.slice(1).map(([c, d], i) => [points[i][0], points[i][1], c, d])).filter(([a, b, c, d]) => Math.abs(a - c) < 0.1 || Math.abs(b - d) < 0.1)
    .map(([a, b, c, d]) => [(Math.min(a, c) - x) * zoom - 2, (Math.min(b, d) - y) * zoom, Math.abs(c - a) * zoom + 4, Math.abs(d - b) * zoom]);
  const isFree = (others, a, b, w, h, own) => others.every(([c, d, v, k], i) => i === own || a >= c + v || a + w <= c || b >= d + k || b + h <= d);
  context.textBaseline = "middle"; context.lineJoin = "round"; context.lineWidth = 4;
  for (const number of [chosen.box, ...seen.filter(i => i !== chosen.box)]) {
    const box = boxes[number], [a, b, w, h] = taken[number], name = box.name, more = `  ${box.class}  ${sizesOf(box)}`, middle = b + h / 2;
    context.font = "600 11px system-ui, sans-serif"; const own = context.measureText(name).width;
    context.font = "11px system-ui, sans-serif"; const all = own + context.measureText(more).width;
    const sides = wide => isDown ? [[a + w + 7, middle, wide], [a - 7 - wide, middle, wide]] : [[a + w / 2 - wide / 2, b - 10, wide], [a + w / 2 - wide / 2, b + h + 10, wide]];
    const free = (isDown ? [all, own] : [own]).flatMap(sides).filter(([left, row, wide]) => left > 0 && left + wide < canvas.clientWidth && isFree(taken, left - 2, row - 7, wide + 4, 14, number));
    const found = free.find(([left, row, wide]) => isFree(straight, left, row - 7, wide, 14, -1)) || free[0];
    if (!found) continue;
    const [left, row, wide] = found;
    taken.push([left, row - 7, wide, 14]);
    context.strokeStyle = variable("--paper"); context.strokeText(wide === all ? name + more : name, left, row);
    context.fillStyle = variable(number === chosen.box ? "--accent" : "--ink"); context.font = "600 11px system-ui, sans-serif"; context.fillText(name, left, row);
    if (wide === all) { context.fillStyle = variable("--soft"); context.font = "11px system-ui, sans-serif"; context.fillText(more, left + own, row); }
  }
  context.textBaseline = "alphabetic";
}

/** Frame what a unit depends on. */
function lightUp(box, content, field, colour) {
  context.strokeStyle = colour; context.lineWidth = Math.max(1.2, 1.6 / camera.zoom);
  if (field === null || !field.lo.length) { context.strokeRect(box.place[0] - 2, box.place[1] - 2, box.place[2] + 4, box.place[3] + 4); return; }
  const { grid, value } = content, step = value.step || 1;
  for (let tile = 0; tile < grid.count; tile++) {
    const [x, y, w, h] = tilePlace(box, tile, grid), [a, b] = field.lo.slice(-2).length === 2 ? field.lo.slice(-2) : [field.lo[0], 0];
    const [c, d] = field.hi.slice(-2).length === 2 ? field.hi.slice(-2) : [field.hi[0], (grid.columns - 1) * step];
    const cell = [w / grid.columns / step, h / grid.rows / step];
    context.strokeRect(x + b * cell[0], y + a * cell[1], (d - b + 1) * cell[0], (c - a + 1) * cell[1]);
  }
}

function outlineUnit({ number, tile, row, column }, colour) {
  const content = paint(number);
  if (!content) return;
  const [x, y, w, h] = tilePlace(boxes[number], tile, content.grid), a = w / content.grid.columns, b = h / content.grid.rows;
  context.strokeStyle = colour; context.lineWidth = Math.max(1.5, 2 / camera.zoom);
  context.strokeRect(x + column * a, y + row * b, a, b);
}

/** The box at a place of the screen, and the unit in it. */
function find(left, top) {
  const x = camera.x + left / camera.zoom, y = camera.y + top / camera.zoom;
  const number = boxes.findIndex(({ place }) => x >= place[0] && x < place[0] + place[2] && y >= place[1] && y < place[1] + place[3]);
  if (number < 0) return null;
  const content = paint(number);
  for (let tile = 0; content && tile < content.grid.count; tile++) {
    const [tx, ty, w, h] = tilePlace(boxes[number], tile, content.grid);
    if (x < tx || x >= tx + w || y < ty || y >= ty + h) continue;
    const row = Math.floor((y - ty) / h * content.grid.rows), column = Math.floor((x - tx) / w * content.grid.columns);
    const flat = content.grid.at(tile, row, column);
    if (flat >= 0) return { number, unit: unitAt(number, flat) };
  }
  return { number, unit: null };
}

/** A unit by its place among the numbers of a card; `index` is that in the layer. */
function unitAt(number, flat) {
  const { value, grid } = paint(number), box = boxes[number], step = value.step || 1;
  let index = indexOf(value.shape, flat), tile = 0, row = index[0] || 0, column = index[1] || 0;
  if (box.content.kind === "image") {
    const hasChannels = value.shape.length > 2, sizes = hasChannels ? value.shape.slice(0, -1) : value.shape;
    index = indexOf(sizes, flat); [row, column] = index.slice(-2); tile = index.length > 2 ? index[0] : 0;
    if (hasChannels) { index.push(0); flat = flatOf(value.shape, index); }
  } else if (box.content.kind === "wave") { tile = index[1] || 0; row = 0; column = Math.floor(index[0] * grid.columns / value.shape[0]); }
  else if (box.content.kind === "maps") { [row, column] = index.slice(-3); tile = index[index.length - 1] + flatOf(value.shape.slice(0, -3), index.slice(0, -3)) * value.shape[value.shape.length - 1]; }
  else if (box.content.kind === "strip") { row = Math.floor(flat / grid.columns); column = flat % grid.columns; }
  return { number, flat, tile, row, column, value: value.data[flat], index: index.map((i, axis) => axis < index.length - 1 ? i * step : i) };
}

function showTip(unit, left, top) {
  tip.hidden = !unit;
  if (!unit) return;
  tip.textContent = `${boxes[unit.number].name}[${unit.index.join(", ")}] = ${words(unit.value)}`;
  tip.style.left = `${Math.min(left + 14, tip.parentElement.clientWidth - 340 - tip.offsetWidth - 4)}px`;
  tip.style.top = `${Math.max(top - 26, 4)}px`;
}

function select(number, unit = null) {
  chosen.box = number; chosen.unit = unit;
  chosen.fields = unit ? receptiveFields(number, unit.index) : null;
  showPanel(); redraw();
}

let drag = null;
canvas.addEventListener("pointerdown", event => {
  drag = { x: event.offsetX, y: event.offsetY, moved: false };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", event => {
  if (drag && (drag.moved || Math.hypot(event.offsetX - drag.x, event.offsetY - drag.y) > 4)) {
    drag.moved = true;
    camera.x -= (event.offsetX - drag.x) / camera.zoom; camera.y -= (event.offsetY - drag.y) / camera.zoom;
    drag.x = event.offsetX; drag.y = event.offsetY; tip.hidden = true; redraw();
    return;
  }
  hover(find(event.offsetX, event.offsetY), event);
});

/** The pointer is over a unit, or over none: show its value, and what it depends on. */
function hover(found, event) {
  const unit = found && found.unit, known = chosen.hover;
  if (unit === known || unit && known && unit.flat === known.flat && unit.number === known.number) return;
  chosen.hover = unit;
  const shownUnit = unit || chosen.unit;
  chosen.fields = shownUnit ? receptiveFields(shownUnit.number, shownUnit.index) : null;
  showTip(unit, event.offsetX, event.offsetY); redraw();
}

canvas.addEventListener("pointerup", event => {
  const wasDrag = drag && drag.moved;
  drag = null;
  if (wasDrag) return;
  const found = find(event.offsetX, event.offsetY);
  if (found) select(found.number, found.unit);
});
canvas.addEventListener("pointerleave", event => hover(null, event));
canvas.addEventListener("wheel", event => { event.preventDefault(); zoomAt(event.offsetX, event.offsetY, Math.exp(-event.deltaY * 0.0015)); }, { passive: false });

function zoomAt(left, top, by) {
  const x = camera.x + left / camera.zoom, y = camera.y + top / camera.zoom;
  camera.zoom = Math.min(Math.max(camera.zoom * by, 0.01), 40);
  camera.x = x - left / camera.zoom; camera.y = y - top / camera.zoom;
  redraw();
}

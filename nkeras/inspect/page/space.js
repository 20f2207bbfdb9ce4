// The model in space: layers behind each other, their maps as slabs; turned by dragging, without any library.

const space = document.getElementById("space"), labels = document.getElementById("labels");
const gl = space.getContext("webgl2", { antialias: true, alpha: false });
const orbit = { yaw: 0.85, pitch: 0.3, far: 0, x: 0, y: 0, z: 0 };
let scene = null;  // all triangles in one buffer, all tiles in one texture
const THICK = 3, DEPTH = 0.75, MOST_SOLID = 1500, BYTES = 36;

const VERTEX = `#version 300 es
in vec3 place; in vec2 spot; in vec4 tint; uniform mat4 eye; out vec2 at; out vec4 shade;
void main() { gl_Position = eye * vec4(place, 1.0); at = spot; shade = tint; }`;
const FRAGMENT = `#version 300 es
precision mediump float; in vec2 at; in vec4 shade; uniform sampler2D image; out vec4 colour;
void main() {
  vec4 found = texture(image, at);
  if (shade.a < 0.5 && found.a < 0.5) discard;
  colour = vec4(shade.a < 0.5 ? found.rgb : shade.rgb, 1.0);
}`;

function compileProgram() {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source); gl.compileShader(shader); gl.attachShader(program, shader);
  }
  ["place", "spot", "tint"].forEach((name, i) => gl.bindAttribLocation(program, i, name));
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  return program;
}
const program = gl && compileProgram(), eyeOf = gl && gl.getUniformLocation(program, "eye");

const isSpace = () => !space.hidden;

/** The middle of a card in space. */
function middleOf(number) {
  const [x, y, w, h] = page.layouts[0].places[number], [wide] = page.layouts[0].size;
  return [x + w / 2 - wide / 2, 0, -(y + h / 2) * DEPTH];
}

/** A tile in space: its left, top, width and height, at the depth of its card. */
function slabPlace(number, tile, grid) {
  const box = boxes[number], place = page.layouts[0].places[number], [x, y, w, h] = tilePlace(box, tile, grid, place);
  const [cx, , z] = middleOf(number), tall = box.content.rows * (box.content.height + box.content.gap);
  return [cx + x - (place[0] + place[2] / 2), tall / 2 - (y - place[1] - TITLE - PAD), w, h, z];
}

/** The triangles of all cards: fronts with the values; where there are few tiles one slab for each, with a back, and sides in the colour of the kind. */
function makeScene() {
  const corners = [], contents = boxes.map((_, number) => paint(number)), placed = atlas(contents);
  const isSolid = contents.reduce((sum, content) => sum + (content ? content.grid.count : 0), 0) <= MOST_SOLID;
  const face = (points, spots, colour) => [0, 1, 2, 0, 2, 3].forEach(i => corners.push(...points[i], ...spots[i], ...colour)), flat = Array(4).fill([0, 0]);
  contents.forEach((content, number) => {
    const place = placed.places[number];
    if (!place) return;
    const hex = shade[boxes[number].kind] || shade.other, tint = [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16) / 255), [left, top, scale] = place;
    const { count } = content.grid, { columns, gap } = boxes[number].content, isOne = !isSolid && count > 1;  // one slab for all tiles
    for (let tile = 0; tile < (isOne ? 1 : count); tile++) {
      let [x, y, w, h, z] = slabPlace(number, tile, content.grid), part = tilePart(content, tile);
      if (isOne) { w = Math.min(columns, count) * (w + gap) - gap; h = Math.ceil(count / columns) * (h + gap) - gap; part = [0, 0, content.sheet.width, content.sheet.height]; }
      const [a, b, c, d] = part.map(v => v * scale);
      const [u, v, u1, v1] = [(left + a + 0.02) / placed.width, (top + b + 0.02) / placed.height, (left + a + c - 0.02) / placed.width, (top + b + d - 0.02) / placed.height];
      const front = [[x, y, z], [x + w, y, z], [x + w, y - h, z], [x, y - h, z]], spots = [[u, v], [u1, v], [u1, v1], [u, v1]];
      face(front, spots, [0, 0, 0, 0]);
      if (!isSolid) continue;
      const back = front.map(([a, b, c]) => [a, b, c - THICK]);
      face(back, spots, [0, 0, 0, 0]);
      [0, 1, 2, 3].forEach(i => face([front[i], front[(i + 1) % 4], back[(i + 1) % 4], back[i]], flat, [...tint.map(t => t * [1, 0.75, 0.6, 0.85][i]), 1]));
    }
  });
  return { texture: placed.texture, ...buffered(corners) };
}

/** All tiles in one texture, in rows; of each card left, top and by how much it was made smaller to fit in. */
function atlas(contents) {
  const most = Math.min(gl.getParameter(gl.MAX_TEXTURE_SIZE), 8192), width = Math.min(most, 4096), order = [];
  contents.forEach((content, number) => { if (content) order.push([number, Math.min(1, width / content.sheet.width, 1024 / content.sheet.height)]); });
  const sides = ([number, scale]) => [Math.ceil(contents[number].sheet.width * scale), Math.ceil(contents[number].sheet.height * scale)];
  order.sort((a, b) => sides(b)[1] - sides(a)[1]);
  const places = Array(contents.length).fill(null);
  let left = 0, top = 0, tall = 0;
  for (const [number, scale] of order) {
    const [w, h] = sides([number, scale]);
    if (left + w > width) { left = 0; top += tall; tall = 0; }
    if (top + h > most) continue;  // no room left
    places[number] = [left, top, scale];
    left += w; tall = Math.max(tall, h);
  }
  const texture = gl.createTexture(), height = Math.max(top + tall, 1);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, width, height);
  places.forEach((place, number) => {
    if (!place) return;
    let { sheet } = contents[number];
    if (place[2] < 1) {
      const smaller = new OffscreenCanvas(Math.ceil(sheet.width * place[2]), Math.ceil(sheet.height * place[2]));
      smaller.getContext("2d").drawImage(sheet, 0, 0, smaller.width, smaller.height);
      sheet = smaller;
    }
    gl.texSubImage2D(gl.TEXTURE_2D, 0, place[0], place[1], gl.RGBA, gl.UNSIGNED_BYTE, sheet);
  });
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  return { texture, places, width, height };
}

function buffered(corners) {
  const buffer = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(corners), gl.STATIC_DRAW);
  return { buffer, count: corners.length * 4 / BYTES };
}

function forgetScene() {
  if (scene) { gl.deleteTexture(scene.texture); gl.deleteBuffer(scene.buffer); }
  scene = null;
}

/** Draw the triangles or lines of a buffer. */
function drawBuffer({ buffer, count }, kind) {
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  [[0, 3, 0], [1, 2, 12], [2, 4, 20]].forEach(([i, n, from]) => { gl.enableVertexAttribArray(i); gl.vertexAttribPointer(i, n, gl.FLOAT, false, BYTES, from); });
  gl.drawArrays(kind, 0, count);
}

/** Product of two matrices, columns first. */
const times = (a, b) => Float32Array.from({ length: 16 }, (_, i) => [0, 1, 2, 3].reduce((sum, k) => sum + a[k * 4 + i % 4] * b[(i >> 2) * 4 + k], 0));

/** The camera: right, up and backwards, and where it is. */
function eyeAxes() {
  const { yaw, pitch, far, x, y, z } = orbit, [s, c, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
  const right = [c, 0, -s], up = [-s * sp, cp, -c * sp], back = [s * cp, sp, c * cp];
  return { right, up, back, from: [x + back[0] * far, y + back[1] * far, z + back[2] * far] };
}

function eyeMatrix(width, height) {
  const { right, up, back, from } = eyeAxes(), dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const view = [right[0], up[0], back[0], 0, right[1], up[1], back[1], 0, right[2], up[2], back[2], 0, -dot(right, from), -dot(up, from), -dot(back, from), 1];
  const near = orbit.far / 50, end = orbit.far * 20 + 1e4, f = 1.7;
  const lens = [f * height / width, 0, 0, 0, 0, f, 0, 0, 0, 0, (end + near) / (near - end), -1, 0, 0, 2 * end * near / (near - end), 0];
  return times(lens, view);
}

/** A place of space on the canvas; null behind the camera. */
function project(matrix, [x, y, z], width, height) {
  const [a, b, , d] = [0, 1, 2, 3].map(i => matrix[i] * x + matrix[4 + i] * y + matrix[8 + i] * z + matrix[12 + i]);
  return d > 0 ? [(a / d + 1) / 2 * width, (1 - b / d) / 2 * height] : null;
}

/** Move what is seen by pixels. */
function pan(dx, dy) {
  const { right, up } = eyeAxes(), by = orbit.far * 2 / 1.7 / space.clientHeight;
  ["x", "y", "z"].forEach((axis, i) => { orbit[axis] -= (right[i] * dx - up[i] * dy) * by; });
}

const FARTHEST = 4000;

/** As near as the whole model is in view; of a long one the beginning. */
function fitSpace() {
  const width = space.clientWidth, height = space.clientHeight, corners = [];
  const isNear = number => middleOf(number)[2] - middleOf(0)[2] > -FARTHEST / 2;
  boxes.forEach((_, number) => {
    const [, , w, h] = page.layouts[0].places[number], [x, y, z] = middleOf(number);
    if (isNear(number)) for (const side of [-1, 1]) corners.push([x + side * w / 2, y - h / 2, z], [x + side * w / 2, y + h / 2, z]);
  });
  const middle = [0, 1, 2].map(axis => { const { low, high } = bounds(corners.map(corner => corner[axis])); return (low + high) / 2; });
  Object.assign(orbit, { x: middle[0], y: middle[1], z: middle[2] });
  const isInside = ([a, b]) => a > 0.06 * width && a < 0.94 * width && b > 0.1 * height && b < 0.92 * height;
  const seen = () => { const eye = eyeMatrix(width, height); return corners.map(corner => project(eye, corner, width, height)); };
  for (let round = 0; round < 3; round++) {  // the middle of what is seen is not that of the model
    let near = 40, far = FARTHEST;
    while (far - near > 5) {
      orbit.far = (near + far) / 2;
      if (seen().every(place => place && isInside(place))) far = orbit.far; else near = orbit.far;
    }
    orbit.far = far;
    const [dx, dy] = [width, height].map((whole, axis) => { const { low, high } = bounds(seen().map(place => place[axis])); return (whole - low - high) / 2; });
    pan(dx, dy);
  }
  redraw();
}

function drawSpace() {
  const ratio = window.devicePixelRatio || 1, width = space.clientWidth, height = space.clientHeight;
  for (const one of [space, labels]) if (one.width !== Math.round(width * ratio) || one.height !== Math.round(height * ratio)) { one.width = Math.round(width * ratio); one.height = Math.round(height * ratio); }
  gl.viewport(0, 0, space.width, space.height);
  gl.clearColor(...colourOf("--paper").map(byte => byte / 255)); gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  gl.enable(gl.DEPTH_TEST); gl.useProgram(program);
  const eye = eyeMatrix(width, height);
  gl.uniformMatrix4fv(eyeOf, false, eye);
  scene ||= makeScene();
  gl.bindTexture(gl.TEXTURE_2D, scene.texture); drawBuffer(scene, gl.TRIANGLES);
  const lines = [], grey = isDark() ? [0.42, 0.41, 0.39, 1] : [0.62, 0.61, 0.58, 1], lit = [0.95, 0.55, 0.1, 1];
  const line = (a, b, colour) => lines.push(...a, 0, 0, ...colour, ...b, 0, 0, ...colour);
  boxes.forEach((box, number) => box.sources.forEach(source => { const [x, y, z] = middleOf(source); line([x, y, z - THICK], middleOf(number), grey); }));
  const unit = chosen.hover || chosen.unit;
  if (unit && chosen.fields) beams(unit, (a, b) => line(a, b, lit));
  const made = buffered(lines);
  drawBuffer(made, gl.LINES); gl.deleteBuffer(made.buffer);
  drawLabels(eye, width, height, ratio);
}

/** A corner of a unit, or of a region of them, in the tile of a card. */
function cornersOf(number, tile, [top, left, bottom, right]) {
  const { grid } = paint(number), [x, y, w, h, z] = slabPlace(number, tile, grid), a = w / grid.columns, b = h / grid.rows;
  return [[left, top], [right, top], [right, bottom], [left, bottom]].map(([column, row]) => [x + column * a, y - row * b, z + 0.6]);
}

/** Frames around a unit and what it depends on right before, and lines between their corners. */
function beams(unit, line) {
  const own = cornersOf(unit.number, unit.tile, [unit.row, unit.column, unit.row + 1, unit.column + 1]);
  const ring = corners => corners.forEach((corner, i) => line(corner, corners[(i + 1) % 4]));
  ring(own);
  for (let number = 0; number < unit.number; number++) {
    const field = chosen.fields[number], content = field !== undefined && paint(number);
    if (!content) continue;
    const { grid, value } = content, step = value.step || 1, isNear = boxes[unit.number].sources.includes(number);
    let [top, left, bottom, right] = [0, 0, grid.rows, grid.columns];
    if (field && field.lo.length >= 2) { const n = field.lo.length; [top, left, bottom, right] = [field.lo[n - 2] / step, field.lo[n - 1] / step, (field.hi[n - 2] + 1) / step, (field.hi[n - 1] + 1) / step]; }
    for (let tile = 0; tile < Math.min(grid.count, 64); tile++) {
      const corners = cornersOf(number, tile, [top, left, bottom, right]);
      ring(corners);
      if (isNear) corners.forEach((corner, i) => line(corner, own[i]));
    }
  }
}

/** Names above the layers, where there is room. */
function drawLabels(eye, width, height, ratio) {
  const drawn = labels.getContext("2d"), taken = [];
  drawn.setTransform(ratio, 0, 0, ratio, 0, 0); drawn.clearRect(0, 0, width, height);
  drawn.font = "600 11px system-ui, sans-serif"; drawn.textAlign = "center"; drawn.strokeStyle = variable("--paper"); drawn.lineWidth = 3; drawn.lineJoin = "round";
  const order = [chosen.box, ...boxes.keys()];
  for (const number of order) {
    const content = paint(number), [x, , z] = middleOf(number), tall = content ? slabPlace(number, 0, content.grid)[1] : 0;
    const at = project(eye, [x, tall + 8, z], width, height);
    if (!at || at[0] < 0 || at[0] > width || taken.some(([a, b, wide]) => Math.abs(a - at[0]) < wide && Math.abs(b - at[1]) < 13)) continue;
    const { name } = boxes[number], wide = drawn.measureText(name).width / 2 + 6;
    taken.push([at[0], at[1], wide + 20]);
    drawn.fillStyle = variable(number === chosen.box ? "--accent" : "--ink");
    at[0] = Math.min(Math.max(at[0], wide), width - wide);
    drawn.strokeText(name, ...at); drawn.fillText(name, ...at);
  }
}

/** The box and the unit under a place of the canvas: the nearest plane that the ray meets. */
function findInSpace(left, top) {
  const { right, up, back, from } = eyeAxes(), width = space.clientWidth, height = space.clientHeight;
  const a = (left / width * 2 - 1) * width / height / 1.7, b = (1 - top / height * 2) / 1.7;
  const ray = [0, 1, 2].map(i => right[i] * a + up[i] * b - back[i]);
  let best = null, nearest = Infinity;
  boxes.forEach((_, number) => {
    const content = paint(number);
    if (!content) return;
    const [, , z] = middleOf(number), far = ([z, z - THICK][ray[2] > 0 ? 1 : 0] - from[2]) / ray[2];
    if (!(far > 0) || far >= nearest) return;
    const x = from[0] + ray[0] * far, y = from[1] + ray[1] * far;
    for (let tile = 0; tile < content.grid.count; tile++) {
      const [tx, ty, w, h] = slabPlace(number, tile, content.grid);
      if (x < tx || x >= tx + w || y > ty || y <= ty - h) continue;
      const flat = content.grid.at(tile, Math.floor((ty - y) / h * content.grid.rows), Math.floor((x - tx) / w * content.grid.columns));
      if (flat >= 0) { nearest = far; best = { number, unit: unitAt(number, flat) }; }
    }
  });
  return best;
}

let turning = null;
if (gl) {
  space.addEventListener("pointerdown", event => { turning = { x: event.offsetX, y: event.offsetY, moved: false, pans: event.shiftKey || event.button === 2 }; space.setPointerCapture(event.pointerId); });
  space.addEventListener("pointermove", event => {
    if (!turning) { hover(findInSpace(event.offsetX, event.offsetY), event); return; }
    const dx = event.offsetX - turning.x, dy = event.offsetY - turning.y;
    if (!turning.moved && Math.hypot(dx, dy) < 4) return;
    Object.assign(turning, { x: event.offsetX, y: event.offsetY, moved: true });
    if (turning.pans) pan(dx, dy);
    else { orbit.yaw -= dx * 0.006; orbit.pitch = Math.min(Math.max(orbit.pitch + dy * 0.006, -1.5), 1.5); }
    tip.hidden = true; redraw();
  });
  space.addEventListener("pointerup", event => {
    const moved = turning && turning.moved;
    turning = null;
    const found = !moved && findInSpace(event.offsetX, event.offsetY);
    if (found) select(found.number, found.unit);
  });
  space.addEventListener("contextmenu", event => event.preventDefault());
  space.addEventListener("wheel", event => { event.preventDefault(); orbit.far = Math.min(Math.max(orbit.far * Math.exp(event.deltaY * 0.001), 20), 1e5); redraw(); }, { passive: false });
}

function toggleSpace() {
  if (!gl) return;
  const wasFlat = !isSpace();
  space.hidden = labels.hidden = !wasFlat; canvas.hidden = wasFlat;
  document.getElementById("space-button").setAttribute("aria-pressed", wasFlat);
  if (wasFlat && !orbit.far) fitSpace();
  redraw();
}

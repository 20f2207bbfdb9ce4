// Start, keys, and a table of the layers for screen readers.

document.getElementById("title").textContent = `${page.name} (${page.class})`;
document.getElementById("title").title = `values of ${page.backend}`;

const keys = [["arrows", "from layer to layer"], ["Enter", "the first value of a layer"], ["[ ]", "samples"], ["+ −", "zoom"], ["0", "the whole model"],
  ["3", "in space or flat"], ["r", "turn the model"], ["d", "light or dark"], ["Esc", "close"]];
const dialog = document.getElementById("keys");
dialog.append(element("h2", {}, "Keys"), ...keys.map(([key, what]) => element("div", {}, element("kbd", {}, key), ` ${what}`)),
  element("p", {}, "Drag and wheel move the picture. Point at a value to light up what it depends on; click it for its arithmetic."),
  element("button", { onclick: () => dialog.close() }, "Close"));

function theme(name) { document.documentElement.dataset.theme = name; repaint(); if (strip.children.length) showPanel(); }
const flip = () => theme(isDark() ? "light" : "dark");

const rotate = () => { turn(layout === page.layouts[0] ? 1 : 0); fit(); };
const whole = () => isSpace() ? fitSpace() : fit();
document.getElementById("fit").addEventListener("click", whole);
document.getElementById("turn").addEventListener("click", rotate);
document.getElementById("space-button").addEventListener("click", toggleSpace);
document.getElementById("space-button").hidden = !gl;
document.getElementById("theme").addEventListener("click", flip);
document.getElementById("help").addEventListener("click", () => dialog.showModal());

/** The neighbour of a card in a direction: along an edge, or the nearest one beside it. */
function neighbour(number, arrow) {
  const turned = { ArrowLeft: "ArrowUp", ArrowRight: "ArrowDown", ArrowUp: "ArrowLeft", ArrowDown: "ArrowRight" };
  const isDown = layout === page.layouts[0], key = isDown ? arrow : turned[arrow];
  const [x, y, w, h] = boxes[number].place, here = [x + w / 2, y + h / 2];
  const others = key === "ArrowUp" ? boxes[number].sources : key === "ArrowDown" ? boxes.map((b, i) => b.sources.includes(number) ? i : -1).filter(i => i >= 0)
    : boxes.map((_, i) => i).filter(i => i !== number && isBeside(boxes[i].place, boxes[number].place, isDown ? 0 : 1, key === "ArrowLeft"));
  const far = i => Math.hypot(boxes[i].place[0] + boxes[i].place[2] / 2 - here[0], boxes[i].place[1] + boxes[i].place[3] / 2 - here[1]);
  return others.reduce((best, i) => best < 0 || far(i) < far(best) ? i : best, -1);
}

/** Whether a card is in the row of another, on one side of it. */
function isBeside(other, own, axis, isBefore) {
  const across = 1 - axis, middle = place => place[axis] + place[axis + 2] / 2;
  return other[across] < own[across] + own[across + 2] && other[across] + other[across + 2] > own[across]
    && (isBefore ? middle(other) < middle(own) : middle(other) > middle(own));
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT/.test(event.target.tagName) || dialog.open) return;
  const move = by => choose((Math.max(shown.sample, 0) + by + page.samples) % page.samples);
  if (event.key.startsWith("Arrow") && (event.target === canvas || event.target === document.body)) {
    const next = neighbour(chosen.box, event.key);
    if (next >= 0) { select(next); reveal(next); }
    event.preventDefault();
  } else if (event.key === "Enter" && event.target === canvas) { if (paint(chosen.box)) select(chosen.box, unitAt(chosen.box, 0)); }
  else if (event.key === "Escape") select(chosen.box);
  else if (event.key === "]") move(1);
  else if (event.key === "[") move(-1);
  else if (event.key === "+" || event.key === "=") zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, 1.25);
  else if (event.key === "-") zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, 0.8);
  else if (event.key === "0") whole();
  else if (event.key === "3") toggleSpace();
  else if (event.key === "d") flip();
  else if (event.key === "r") rotate();
  else if (event.key === "?") dialog.showModal();
});

const MOST_ROWS = 300;
function showTable() {
  const head = element("tr", {}, ...["layer", "class", "shape", "least", "largest"].map(text => element("th", {}, text)));
  const rows = boxes.slice(0, MOST_ROWS).map((box, number) => {
    const value = boxes.length <= 40 ? valueOf(number) : null, { low, high } = value ? bounds(value.data) : { low: null, high: null };
    return element("tr", {}, ...[box.key, box.class, box.shape ? box.shape.join(" by ") : "", words(low), words(high)].map(text => element("td", {}, text)));
  });
  document.getElementById("table").replaceChildren(element("caption", {}, `Layers of ${page.name}`), head, ...rows);
}

new ResizeObserver(redraw).observe(canvas.parentElement);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", event => theme(event.matches ? "dark" : "light"));
theme(window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
turn(Math.max(zoomOf(page.layouts[0].size), LEAST_ZOOM) >= zoomOf(page.layouts[1].size) ? 0 : 1);
fit();
showSamples();
draw();  // the cards at once, their values when these have come

/** Show the first sample, whose values stand in front of the others. */
function show() {
  state.isShown = true; state.isMissing = false;
  choose(0);
  select(Math.min(1, boxes.length - 1));
  draw();
}

document.addEventListener("DOMContentLoaded", () => {
  state.isLoaded = true;
  offerInputs();
  showTraining();
  if (!state.isShown) show();
  else if (state.isMissing) choose(shown.sample);
  else { showPanel(); redraw(); }
  showThumbnails();
  if (page.isServed) follow();
  document.documentElement.dataset.ready = "yes";
});
window.model = { show, page, boxes, camera, chosen, shown, forward, valueOf, unitAt, select, choose, tilePlace, paint, orbit, findInSpace, slabPlace, eyeMatrix, project, drawSpace };  // for the console

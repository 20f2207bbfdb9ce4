// The side: what the model says, the chosen layer, and the arithmetic of the chosen unit.

const panel = document.getElementById("panel"), prediction = document.getElementById("prediction");

/** The outputs that are short rows of numbers, as bars, largest first. */
function showPrediction() {
  prediction.replaceChildren(element("h2", {}, "Output"));
  for (const [number] of page.outputs) {
    const value = valueOf(number);
    if (!value) { prediction.append(element("div", { class: "soft" }, "not recorded")); continue; }
    if (value.shape.length !== 1 || value.shape[0] > 10000) { prediction.append(element("div", { class: "soft" }, `${boxes[number].name}: ${value.shape.join(" × ")} numbers`)); continue; }
    const order = [...value.data.keys()].sort((a, b) => value.data[b] - value.data[a] || a - b).slice(0, 6);
    const reach = Math.max(...order.map(i => Math.abs(value.data[i])), 1e-30);
    const target = shown.sample >= 0 && page.targets ? page.targets[shown.sample] : -1;
    if (target >= 0 && target < value.data.length && !order.includes(target)) order.push(target);
    for (const i of order) {
      const name = page.labels && i < page.labels.length ? page.labels[i] : String(i), share = Math.abs(value.data[i]) / reach * 100;
      const bar = element("i");
      bar.style.width = `${Number.isFinite(share) ? share : 0}%`;
      prediction.append(element("div", { class: i === target ? "bar true" : "bar", title: i === target ? "the true class" : null },
        element("span", {}, name), element("span", {}, bar), element("b", {}, words(value.data[i]))));
    }
  }
}

function facts(rows) {
  const table = element("table", { class: "facts" });
  for (const [name, value] of rows) if (value) table.append(element("tr", {}, element("td", { class: "soft" }, name), element("td", {}, value)));
  return table;
}

function showPanel() {
  const number = chosen.box, box = boxes[number], value = valueOf(number);
  panel.replaceChildren(element("h2", {}, `${box.name} `, element("span", { class: "soft" }, box.class)));
  panel.append(facts([
    ["shape", box.shape ? `(${box.shape.map(n => n === null ? "None" : n).join(", ")})` : ""],
    ["activation", box.activation],
    ["parameters", box.parameters ? box.parameters.toLocaleString("en") + (box.trainable ? "" : ", not trained") : ""],
    ["call", box.call[1] > 1 ? `${box.call[0]} of ${box.call[1]}, shared weights` : ""],
    ["operations", box.cost && box.cost[0] ? scaled(box.cost[0], "FLOP") : ""],
    ["output", box.cost ? scaled(box.cost[1], "B") : ""],
    ["gradient", box.norm != null ? `norm ${words(box.norm)}, of the loss with the output` : ""],
    ["time", box.cost ? `${words(box.cost[2])} µs` : ""],
  ]));
  if (value) panel.append(histogram(value, box.values && box.values.scale !== undefined), ...dead(box));
  if (box.scores && shown.sample >= 0 && numbers(box.scores)) panel.append(...attention(box));
  if (chosen.unit && chosen.unit.number === number) panel.append(...sum(chosen.unit));
  else if (value) panel.append(element("p", { class: "soft" }, "Click a value to see how it comes about."));
  panel.append(...showWeights(box));
}

/** How the values are spread, as bars in a small canvas. */
function histogram({ data, step, shape }, isRounded) {
  const { low, high, strange } = bounds(data), counts = Array(40).fill(0), over = high - low || 1;
  let total = 0, sum = 0;
  for (const v of data) if (Number.isFinite(v)) { counts[Math.min(Math.floor((v - low) / over * 40), 39)]++; total++; sum += v; }
  const drawn = bars(counts, 300, 60, `values from ${words(low)} to ${words(high)}`);
  const box = element("div", {}, drawn, element("div", { class: "soft" }, `${words(low)} … ${words(high)}, mean ${words(total ? sum / total : NaN)}`));
  if (strange) box.append(element("div", { class: "warn" }, `${strange.toLocaleString("en")} not finite`));
  if (shown.sample >= 0 && isRounded) box.append(element("div", { class: "soft" }, "recorded in 256 levels"));
  if (step > 1) box.append(element("div", { class: "soft" }, `every ${step}th place, ${shape[shape.length - 1]} channels are kept`));
  return box;
}

/** The scores of each head as a matrix: a row for each query, a column for each key. */
function attention(box) {
  const [, heads, rows, columns] = box.scores.shape, count = heads * rows * columns;
  const data = numbers(box.scores).subarray(shown.sample * count, (shown.sample + 1) * count), put = painter(bounds(data));
  const made = Array.from({ length: heads }, (_, head) => {
    const drawn = element("canvas", { width: columns, height: rows, class: "scores", role: "img", title: `head ${head + 1}`, "aria-label": `scores of head ${head + 1}` });
    const image = drawn.getContext("2d").createImageData(columns, rows);
    for (let i = 0; i < rows * columns; i++) put(data[head * rows * columns + i], image.data, i * 4);
    drawn.getContext("2d").putImageData(image, 0, 0);
    return drawn;
  });
  return [element("h2", {}, "Attention"), element("div", {}, ...made), element("div", { class: "soft" }, "a row for each query, a column for each key")];
}

/** Channels that are zero for every recorded sample, where an activation can make them so. */
function dead({ values, activation, class: name }) {
  if (!values || !values.dead || !/relu/i.test(`${activation} ${name}`)) return [];
  return [element("div", { class: "warn" }, `${values.dead} of ${values.channels} channels are 0 for all samples`)];
}

/** The arithmetic of a unit: what it takes, times what, and what becomes of the sum. */
function sum(unit) {
  const box = boxes[unit.number], found = arithmetic(unit.number, unit.index);
  const title = element("h2", {}, `${box.name}[${unit.index.join(", ")}] = ${words(unit.value)}`);
  if (!found) {
    const why = box.live && box.live.isLater ? "The weights of this epoch were not kept: training took more room than the page has." : !box.live ? "This page does not know how the layer computes." : box.sources.length ? "The values or weights that it takes are not in the page." : "An input.";
    return [title, element("p", { class: "soft" }, why)];
  }
  const { terms, bias, total, rule, activation, value } = found, list = element("div", { class: "sum" });
  const order = [...terms.keys()].sort((a, b) => Math.abs(terms[b].product) - Math.abs(terms[a].product)), most = 48;
  const link = term => element("button", { class: "go", onclick: () => select(term.number, unitAt(term.number, term.flat)) },
    `${boxes[term.number].name}[${indexOf(valueOf(term.number).shape, term.flat).join(", ")}]`);
  for (const i of order.slice(0, most)) {
    const { x, w, product } = terms[i];
    list.append(element("div", {}, link(terms[i]), w === null ? ` ${words(x)}` : ` ${words(x)} × ${words(w)} = ${words(product)}`));
  }
  if (order.length > most) {
    const rest = order.slice(most).reduce((a, i) => a + terms[i].product, 0);
    list.append(element("div", { class: "soft" }, `${order.length - most} smaller ones${rule === "sum" ? `: ${words(rest)}` : ""}`));
  }
  const steps = [];
  if (rule === "sum") {
    if (bias !== null) steps.push(`+ bias ${words(bias)}`);
    steps.push(`= ${words(total)}`);
  } else if (rule !== "same") steps.push(`${rule.replace("_", " ")} = ${words(value)}`);
  if (activation) steps.push(`${activation}(${rule === "sum" ? words(total) : ""}) = ${words(value)}`);
  return [title, ...patches(unit, found), list, ...steps.map(text => element("div", {}, text))];
}

/** The patch, the filter and their products as small images, for a convolution over two axes. */
function patches(unit, { terms, rule }) {
  const { live } = boxes[unit.number];
  if (live.op !== "conv" || live.window.length !== 2 || rule !== "sum") return [];
  const x = valueOf(boxes[unit.number].sources[0]), part = x.shape[2] / live.groups;
  const origin = unit.index.slice(0, 2).map((i, axis) => i * live.strides[axis] - live.before[axis]);
  const channel = part === 1 ? null : bestChannel(terms, x.shape[2]);
  const images = ["x", "w", "product"].map(name => {
    const [rows, columns] = live.window, drawn = element("canvas", { width: columns, height: rows, title: { x: "patch", w: "filter", product: "products" }[name] });
    drawn.style.cssText = `width:${Math.min(88, columns * 22)}px;image-rendering:pixelated;margin-right:10px;border:1px solid var(--line)`;
    const image = drawn.getContext("2d").createImageData(columns, rows);
    const some = terms.filter(term => channel === null || term.flat % x.shape[2] === channel), put = painter(bounds(some.map(term => term[name])));
    for (const term of some) {
      const [row, column] = indexOf(x.shape, term.flat).slice(0, 2).map((i, axis) => (i - origin[axis]) / live.dilation[axis]);
      put(term[name], image.data, (row * columns + column) * 4);
    }
    drawn.getContext("2d").putImageData(image, 0, 0);
    return drawn;
  });
  const note = channel === null ? "patch × filter = products" : `patch × filter = products, channel ${channel}, whose part is largest`;
  return [element("div", {}, ...images), element("div", { class: "soft" }, note)];
}

function bestChannel(terms, channels) {
  const sums = new Map();
  for (const { flat, product } of terms) sums.set(flat % channels, (sums.get(flat % channels) || 0) + Math.abs(product));
  return [...sums].reduce((a, b) => b[1] > a[1] ? b : a)[0];
}

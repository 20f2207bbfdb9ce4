// One unit of a layer: where it looks, and the arithmetic that makes its value.

/** The index of a unit along each axis. */
function indexOf(shape, flat) {
  const index = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) { index[axis] = flat % shape[axis]; flat = Math.floor(flat / shape[axis]); }
  return index;
}

const flatOf = (shape, index) => index.reduce((sum, i, axis) => sum * shape[axis] + i, 0);

/** What of a layer's places an output region needs; null for all. A region has bounds for all axes but the last. */
function before(live, region, from, to) {
  if (!live || !region) return null;
  const { lo, hi } = region, rank = from.length - 1;
  const moved = (low, high) => ({
    lo: lo.map((v, axis) => Math.min(Math.max(low(v, axis), 0), from[axis] - 1)),
    hi: hi.map((v, axis) => Math.min(Math.max(high(v, axis), 0), from[axis] - 1)),
  });
  switch (live.op) {
    case "conv": case "max_pool": case "average_pool":
      if (lo.length !== rank) return null;
      return moved((v, a) => v * live.strides[a] - live.before[a],
        (v, a) => v * live.strides[a] - live.before[a] + (live.window[a] - 1) * live.dilation[a]);
    case "transposed":
      return moved((v, a) => Math.ceil((v + live.cut[a] - live.window[a] + 1) / live.strides[a]),
        (v, a) => Math.floor((v + live.cut[a]) / live.strides[a]));
    case "pad": return moved((v, a) => v - live.before[a], (v, a) => v - live.before[a]);
    case "upsample": return moved((v, a) => Math.floor(v / live.factors[a]), (v, a) => Math.floor(v / live.factors[a]));
    case "reshape": case "embedding": return null;
    default: return from.length === to.length && lo.every((_, a) => from[a] === to[a]) ? region : null;
  }
}

/** For each box the region that a unit depends on: undefined for none, null for all of it. */
function receptiveFields(number, index) {
  const fields = Array(boxes.length);
  fields[number] = { lo: index.slice(0, -1), hi: index.slice(0, -1) };
  for (let i = number; i >= 0; i--) {
    if (fields[i] === undefined) continue;
    for (const source of boxes[i].sources) {
      const from = fullShape(source), to = fullShape(i);
      const region = from && to ? before(boxes[i].live, fields[i], from, to) : null;
      if (fields[source] === undefined || region === null) fields[source] = region;
      else if (fields[source] !== null) fields[source] = {
        lo: fields[source].lo.map((v, a) => Math.min(v, region.lo[a])),
        hi: fields[source].hi.map((v, a) => Math.max(v, region.hi[a])),
      };
    }
  }
  return fields;
}

function fullShape(number) {
  const { live, values } = boxes[number];
  return live ? live.result : values ? values.whole : null;
}

/** The parts of a unit's sum, largest first: `{terms: [{text, unit, x, w, product}], bias, sum, value}`, or null. */
function arithmetic(number, index) {
  const box = boxes[number], live = box.live;
  const taken = box.sources.map(valueOf), x = taken[0], y = valueOf(number);
  if (!live || !x || live.isLater && shown.sample >= 0 || taken.some((t, i) => !t || size(t.shape) !== size(fullShape(box.sources[i])))) return null;
  const value = y.data[flatOf(y.shape, index)], terms = [];
  const source = box.sources[0];
  const add = (flat, w, from = 0) => terms.push({
    number: box.sources[from], flat, x: taken[from].data[flat], w, product: w === null ? taken[from].data[flat] : taken[from].data[flat] * w });
  const last = index[index.length - 1];
  const weight = name => live.weights && live.weights[name] ? numbers(live.weights[name]) : null;
  const biased = weight("bias");
  let bias = biased ? biased[last] : null, rule = null;
  if (live.op === "dense" && weight("kernel")) {
    const kernel = weight("kernel"), [rows, units] = live.weights.kernel.shape, row = flatOf(y.shape.slice(0, -1), index.slice(0, -1));
    for (let i = 0; i < rows; i++) add(row * rows + i, kernel[i * units + last]);
    rule = "sum";
  } else if (live.op === "conv" && weight("kernel")) {
    const kernel = weight("kernel"), sizes = x.shape.slice(0, -1), channels = x.shape[sizes.length];
    const filters = y.shape[y.shape.length - 1], part = channels / live.groups, group = Math.floor(last / (filters / live.groups));
    meet(live, sizes, index.slice(0, -1), (place, inWindow) => {
      for (let c = 0; c < part; c++) add(place * channels + group * part + c, kernel[(inWindow * part + c) * filters + last]);
    });
    rule = "sum";
  } else if (live.op === "max_pool" || live.op === "average_pool") {
    const sizes = x.shape.slice(0, -1), channels = x.shape[sizes.length];
    const at = live.shape ? sizes.map(() => 0) : index.slice(0, -1);
    meet(live, sizes, at, place => add(place * channels + last, null));
    rule = live.op === "max_pool" ? "largest" : "mean";
  } else if (live.op === "affine" && weight("scale")) {
    const scale = weight("scale"), offset = weight("offset"), flat = flatOf(y.shape, index);
    add(flat, scale[flat % scale.length]);
    bias = offset[flat % offset.length];
    rule = "sum";
  } else if (["add", "multiply", "subtract", "average", "maximum", "minimum"].includes(live.op)) {
    if (taken.some(t => t.data.length !== y.data.length)) return null;
    taken.forEach((_, from) => add(flatOf(y.shape, index), null, from));
    rule = live.op;
  } else if (["identity", "activation", "reshape"].includes(live.op) && x.data.length === y.data.length) {
    add(flatOf(y.shape, index), null);
    rule = "same";
  } else return null;
  const total = rule === "sum" ? terms.reduce((sum, term) => sum + term.product, bias || 0) : null;
  return { terms, bias, total, rule, value, source, activation: live.activation && live.activation !== "linear" ? live.activation : null };
}

// The forward pass of the layers in live.py, on one sample: channels last, loops as they are written down.

const functions = {
  linear: x => x,
  relu: x => x > 0 || x !== x ? x : 0,
  relu6: x => Math.min(Math.max(x, 0), 6),
  elu: x => x > 0 ? x : Math.expm1(x),
  selu: x => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  gelu: x => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  sigmoid: x => 1 / (1 + Math.exp(-x)),
  hard_sigmoid: x => Math.min(Math.max(x / 6 + 0.5, 0), 1),
  tanh: Math.tanh,
  softplus: x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  softsign: x => x / (1 + Math.abs(x)),
  silu: x => x / (1 + Math.exp(-x)),
  hard_silu: x => x * Math.min(Math.max(x / 6 + 0.5, 0), 1),
  exponential: Math.exp,
  mish: x => x * Math.tanh(Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
};

/** Abramowitz and Stegun 7.1.26 is too coarse: a continued fraction and a series instead. */
function erf(x) {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = a, sum = a;
    for (let n = 1; n < 60; n++) { term *= -a * a / n; sum += term / (2 * n + 1); }
    return Math.sign(x) * sum * 2 / Math.sqrt(Math.PI);
  }
  let tail = 0;
  for (let n = 60; n > 0; n--) tail = n / 2 / (a + tail);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + tail) * Math.sqrt(Math.PI)));
}

/** Apply an activation in place; softmax works along the last axis. */
function activate(y, name, slope) {
  const { data, shape } = y;
  if (name === "softmax" || name === "log_softmax") {
    const length = shape[shape.length - 1];
    for (let start = 0; start < data.length; start += length) {
      const row = data.subarray(start, start + length), top = row.reduce((a, b) => Math.max(a, b), -Infinity);
      let sum = 0;
      for (let i = 0; i < length; i++) sum += Math.exp(row[i] - top);
      for (let i = 0; i < length; i++)
        row[i] = name === "softmax" ? Math.exp(row[i] - top) / sum : row[i] - top - Math.log(sum);
    }
  } else if (name && name !== "linear") {
    const f = name === "leaky_relu" ? x => x > 0 ? x : (slope ?? 0.2) * x : functions[name];
    for (let i = 0; i < data.length; i++) data[i] = f(data[i]);
  }
  return y;
}

const zeros = shape => ({ shape, data: new Float32Array(size(shape)) });

/** Calls `visit(index, flat)` for all places of some sizes. */
function places(sizes, visit) {
  const index = sizes.map(() => 0);
  for (let flat = 0, count = size(sizes); flat < count; flat++) {
    visit(index, flat);
    for (let axis = sizes.length - 1; axis >= 0 && ++index[axis] === sizes[axis]; axis--) index[axis] = 0;
  }
}

/** Calls `visit(place in x, place in the window)` for what a window at an output's place meets. */
function meet(live, sizes, at, visit) {
  places(live.window, (offset, inWindow) => {
    let place = 0;
    for (let axis = 0; axis < sizes.length; axis++) {
      const i = at[axis] * live.strides[axis] + offset[axis] * live.dilation[axis] - live.before[axis];
      if (i < 0 || i >= sizes[axis]) return;
      place = place * sizes[axis] + i;
    }
    visit(place, inWindow);
  });
}


const kinds = {
  identity: (live, [x]) => ({ shape: x.shape, data: x.data.slice() }),
  reshape: (live, [x]) => ({ shape: live.shape, data: x.data.slice() }),
  activation: (live, [x]) => activate({ shape: x.shape, data: x.data.slice() }, live.activation, live.slope),
  affine(live, [x]) {
    const scale = numbers(live.weights.scale), offset = numbers(live.weights.offset);
    const a = scale.length, b = offset.length;
    return { shape: x.shape, data: x.data.map((v, i) => v * scale[i % a] + offset[i % b]) };
  },
  dense(live, [x]) {
    const kernel = numbers(live.weights.kernel), [rows, units] = live.weights.kernel.shape;
    const bias = live.weights.bias && numbers(live.weights.bias);
    const y = zeros([...x.shape.slice(0, -1), units]);
    for (let row = 0, count = x.data.length / rows; row < count; row++)
      for (let unit = 0; unit < units; unit++) {
        let sum = bias ? bias[unit] : 0;
        for (let i = 0; i < rows; i++) sum += x.data[row * rows + i] * kernel[i * units + unit];
        y.data[row * units + unit] = sum;
      }
    return activate(y, live.activation);
  },
  conv(live, [x], shape) {
    const kernel = numbers(live.weights.kernel), bias = live.weights.bias && numbers(live.weights.bias);
    const sizes = x.shape.slice(0, -1), channels = x.shape[sizes.length];
    const filters = shape[sizes.length], taken = channels / live.groups, made = filters / live.groups;
    const y = zeros(shape);
    places(shape.slice(0, -1), (at, flat) => {
      const sums = y.data.subarray(flat * filters, (flat + 1) * filters);
      if (bias) sums.set(bias);
      meet(live, sizes, at, (place, inWindow) => {
        for (let group = 0; group < live.groups; group++)
          for (let c = 0; c < taken; c++) {
            const v = x.data[place * channels + group * taken + c];
            if (v === 0) continue;
            const row = (inWindow * taken + c) * filters + group * made;
            for (let f = 0; f < made; f++) sums[group * made + f] += v * kernel[row + f];
          }
      });
    });
    return activate(y, live.activation);
  },
  transposed(live, [x], shape) {
    const kernel = numbers(live.weights.kernel), bias = live.weights.bias && numbers(live.weights.bias);
    const sizes = x.shape.slice(0, -1), channels = x.shape[sizes.length];
    const out = shape.slice(0, -1), filters = shape[sizes.length], y = zeros(shape);
    if (bias) for (let i = 0; i < y.data.length; i++) y.data[i] = bias[i % filters];
    places(sizes, (at, flat) => places(live.window, (offset, inWindow) => {
      let place = 0;
      for (let axis = 0; axis < sizes.length; axis++) {
        const i = at[axis] * live.strides[axis] + offset[axis] - live.cut[axis];
        if (i < 0 || i >= out[axis]) return;
        place = place * out[axis] + i;
      }
      for (let c = 0; c < channels; c++)
        for (let f = 0; f < filters; f++)
          y.data[place * filters + f] += x.data[flat * channels + c] * kernel[(inWindow * channels + c) * filters + f];
    }));
    return activate(y, live.activation);
  },
  max_pool: (live, [x]) => pool(live, x, -Infinity, Math.max, (sum, count) => sum),
  average_pool: (live, [x]) => pool(live, x, 0, (a, b) => a + b, (sum, count) => sum / count),
  layer_norm(live, [x]) {
    const length = x.shape[x.shape.length - 1], data = x.data.slice();
    const gamma = live.weights.gamma && numbers(live.weights.gamma), beta = live.weights.beta && numbers(live.weights.beta);
    for (let start = 0; start < data.length; start += length) {
      const row = data.subarray(start, start + length);
      const mean = row.reduce((a, b) => a + b, 0) / length;
      const root = Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / length + live.epsilon);
      for (let i = 0; i < length; i++) row[i] = (row[i] - mean) / root * (gamma ? gamma[i] : 1) + (beta ? beta[i] : 0);
    }
    return { shape: x.shape, data };
  },
  add: (live, all) => merge(all, (a, b) => a + b),
  subtract: (live, all) => merge(all, (a, b) => a - b),
  multiply: (live, all) => merge(all, (a, b) => a * b),
  maximum: (live, all) => merge(all, (a, b) => Math.max(a, b)),
  minimum: (live, all) => merge(all, (a, b) => Math.min(a, b)),
  average(live, all) {
    const y = merge(all, (a, b) => a + b);
    return { shape: y.shape, data: y.data.map(v => v / all.length) };
  },
  concatenate(live, all, shape) {
    const y = zeros(shape), inner = size(shape.slice(live.axis + 1));
    const outer = size(shape.slice(0, live.axis));
    let from = 0;
    for (const x of all) {
      const length = x.shape[live.axis] * inner;
      for (let o = 0; o < outer; o++)
        y.data.set(x.data.subarray(o * length, (o + 1) * length), o * shape[live.axis] * inner + from);
      from += length;
    }
    return y;
  },
  pad(live, [x], shape) {
    const y = zeros(shape), sizes = x.shape.slice(0, -1), channels = x.shape[sizes.length];
    places(shape.slice(0, -1), (at, flat) => {
      let place = 0;
      for (let axis = 0; axis < sizes.length; axis++) {
        const i = at[axis] - live.before[axis];
        if (i < 0 || i >= sizes[axis]) return;
        place = place * sizes[axis] + i;
      }
      y.data.set(x.data.subarray(place * channels, (place + 1) * channels), flat * channels);
    });
    return y;
  },
  upsample(live, [x], shape) {
    const y = zeros(shape), sizes = x.shape.slice(0, -1), channels = x.shape[sizes.length];
    places(shape.slice(0, -1), (at, flat) => {
      const place = at.reduce((sum, i, axis) => sum * sizes[axis] + Math.floor(i / live.factors[axis]), 0);
      y.data.set(x.data.subarray(place * channels, (place + 1) * channels), flat * channels);
    });
    return y;
  },
  embedding(live, [x]) {
    const table = numbers(live.weights.table), width = live.weights.table.shape[1];
    const y = zeros([...x.shape, width]);
    x.data.forEach((row, i) => y.data.set(table.subarray(row * width, (row + 1) * width), i * width));
    return y;
  },
};

function pool(live, x, start, join, finish) {
  const sizes = x.shape.slice(0, -1), channels = x.shape[sizes.length], y = zeros(live.output);
  places(live.output.slice(0, -1), (at, flat) => {
    for (let c = 0; c < channels; c++) {
      let found = start, count = 0;
      meet(live, sizes, at, place => { found = join(found, x.data[place * channels + c]); count++; });
      y.data[flat * channels + c] = finish(found, count);
    }
  });
  return { shape: live.shape || live.output, data: y.data };
}

/** Join tensors whose shapes broadcast. */
function merge(all, join) {
  return all.reduce((a, b) => {
    if (a.data.length === b.data.length) return { shape: a.shape, data: a.data.map((v, i) => join(v, b.data[i])) };
    const rank = Math.max(a.shape.length, b.shape.length);
    const wide = s => [...Array(rank - s.length).fill(1), ...s], left = wide(a.shape), right = wide(b.shape);
    const shape = left.map((n, axis) => Math.max(n, right[axis])), y = zeros(shape);
    const find = (s, at) => at.reduce((sum, i, axis) => sum * s[axis] + (s[axis] === 1 ? 0 : i), 0);
    places(shape, (at, flat) => { y.data[flat] = join(a.data[find(left, at)], b.data[find(right, at)]); });
    return y;
  });
}

/** What all layers give for inputs of the user's own, in the order of `page.inputs`. */
function forward(inputs) {
  const values = [];
  boxes.forEach((box, number) => {
    const own = page.inputs.indexOf(number), taken = box.sources.map(source => values[source]);
    values.push(own >= 0 ? inputs[own] : kinds[box.live.op](box.live, taken, box.live.result));
  });
  return values;
}

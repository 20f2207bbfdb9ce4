// Weights of a layer at the moment that is shown: how they are spread, their norms in training, kernels as pictures.

const MOST_CELLS = 65536, MOST_FILTERS = 64, MOST_WEIGHTS = 8;

/** Counts as bars of a small canvas. */
function bars(counts, width, height, label) {
  const drawn = element("canvas", { width, height, role: "img", "aria-label": label }), made = drawn.getContext("2d");
  const most = Math.max(...counts, 1), wide = width / counts.length;
  made.fillStyle = variable("--accent");
  counts.forEach((count, i) => { const h = count ? Math.max(Math.sqrt(count / most) * (height - 2), 1.5) : 0; made.fillRect(i * wide, height - h, wide - 1, h); });
  return drawn;
}

function showWeights(box) {
  if (!box.spreads.length) return [];
  const found = [element("h2", {}, "Weights"), ...kernelPicture(box)];
  box.spreads.slice(0, MOST_WEIGHTS).forEach((spread, i) => {
    const { name, shape, norm, low, high, counts } = spread;
    const norms = box.moments.map(facts => facts.spreads[i].norm), row = element("div", { class: "spread" }, bars(counts, 140, 26, `${name} from ${words(low)} to ${words(high)}`));
    if (norms.length > 1) row.append(line(norms, 140, 26, `norm of ${name} in training`));
    found.push(element("div", {}, `${name} `, element("span", { class: "soft" }, `${shape.join(" × ") || "1"}, ${words(low)} … ${words(high)}, norm ${words(norm)}`)), row);
  });
  const rest = box.spreads.length - MOST_WEIGHTS;
  if (rest > 0) found.push(element("div", { class: "soft" }, `${rest} more`));
  return found;
}

/** Numbers of the moments as a line, with a dot at the one that is shown. */
function line(values, width, height, label) {
  const drawn = element("canvas", { width, height, role: "img", "aria-label": label }), made = drawn.getContext("2d"), { low, high } = bounds(values);
  const place = (v, i) => [4 + i / (values.length - 1) * (width - 8), height - 4 - (v - low) / (high - low || 1) * (height - 8)];
  made.strokeStyle = variable("--edge"); made.lineWidth = 1.5; made.beginPath();
  values.forEach((v, i) => { if (Number.isFinite(v)) made.lineTo(...place(v, i)); });
  made.stroke();
  made.fillStyle = variable("--lit"); made.beginPath(); made.arc(...place(values[shown.moment], shown.moment), 3, 0, 7); made.fill();
  return drawn;
}

/** The kernel of a dense layer as a matrix, that of a convolution over two axes as filters: a row for each, a column for each channel. */
function kernelPicture({ live }) {
  const about = live && !live.isLater && live.weights.kernel, rank = about ? about.shape.length : 0;
  if (rank !== 2 && rank !== 4 || size(about.shape) > MOST_CELLS) return [];
  const data = numbers(about);
  if (!data) return [];
  const put = painter(bounds(data)), drawn = element("canvas", { id: "kernel", role: "img", "aria-label": "the kernel" });
  const paintCells = (columns, rows, at) => {
    Object.assign(drawn, { width: columns, height: rows });
    const made = drawn.getContext("2d"), image = made.createImageData(columns, rows);
    for (let row = 0, i = 0; row < rows; row++) for (let column = 0; column < columns; column++, i += 4) { const from = at(row, column); if (from >= 0) put(data[from], image.data, i); }
    made.putImageData(image, 0, 0);
    drawn.style.width = `${columns * Math.min(rank === 2 ? 6 : 8, 300 / columns, 240 / rows)}px`;
  };
  if (rank === 2) { paintCells(about.shape[1], about.shape[0], (row, column) => row * about.shape[1] + column); return [drawn, element("div", { class: "soft" }, "a row for each input, a column for each unit")]; }
  const [high, wide, channels, filters] = about.shape, isSingle = channels === 1, across = isSingle ? Math.min(filters, 8) : Math.min(channels, 16);
  const down = isSingle ? Math.ceil(Math.min(filters, MOST_FILTERS) / across) : Math.min(filters, MOST_FILTERS / 4);
  paintCells(across * (wide + 1) - 1, down * (high + 1) - 1, (row, column) => {
    const y = row % (high + 1), x = column % (wide + 1), a = Math.floor(column / (wide + 1)), b = Math.floor(row / (high + 1));
    const channel = isSingle ? 0 : a, filter = isSingle ? b * across + a : b;
    return y < high && x < wide && filter < filters ? ((y * wide + x) * channels + channel) * filters + filter : -1;
  });
  const note = isSingle ? "filters" : `filters: a row for each, a column for each channel${channels > across || filters > down ? "; the first ones" : ""}`;
  return [drawn, element("div", { class: "soft" }, note)];
}

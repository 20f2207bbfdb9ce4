// Training: a slider through its recorded moments, and its results as curves.

const training = document.getElementById("training");

function showTraining() {
  const names = Object.keys(page.history).filter(name => !name.startsWith("val_"));
  training.hidden = page.moments.length < 2 && !names.length;
  if (training.hidden) return;
  training.replaceChildren(element("h2", {}, "Training"));
  if (page.moments.length > 1) {
    const note = element("span", {}, page.moments[shown.moment]);
    const slider = element("input", { type: "range", id: "moment", min: 0, max: page.moments.length - 1, value: shown.moment, "aria-label": "moment of training" });
    slider.addEventListener("input", () => { setMoment(+slider.value); note.replaceChildren(page.moments[shown.moment]); again(); });
    training.append(element("div", { class: "soft" }, note), slider);
  }
  for (const name of names) training.append(curve(name, page.history[name], page.history[`val_${name}`] || []));
}

/** A result of each epoch, and that of validation, as a small picture. */
function curve(name, values, others) {
  const drawn = element("canvas", { width: 300, height: 56, role: "img", "aria-label": `${name}, last ${words(values[values.length - 1])}` });
  const made = drawn.getContext("2d"), { low, high } = bounds([...values, ...others]), last = Math.max(values.length, others.length, 2) - 1;
  for (const [row, colour] of [[values, "--accent"], [others, "--lit"]]) {
    made.strokeStyle = variable(colour); made.lineWidth = 1.5; made.beginPath();
    row.forEach((v, i) => { if (Number.isFinite(v)) made.lineTo(3 + i / last * 294, 53 - (v - low) / (high - low || 1) * 50); });
    made.stroke();
  }
  const end = others.length ? `, validation ${words(others[others.length - 1])}` : "";
  return element("div", {}, element("div", { class: "soft" }, `${name.replaceAll("_", " ")} ${words(values[values.length - 1])}${end}`), drawn);
}

// Colours of values: one scale for what is never negative, one around zero; both safe for the colour blind.

const isDark = () => document.documentElement.dataset.theme === "dark";
const variable = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
/** A colour of the page as bytes. */
const colourOf = name => [...[1, 3, 5].map(i => parseInt(variable(name).slice(i, i + 2), 16)), 255];

const unsigned = [[0, 34, 77], [53, 69, 108], [102, 105, 112], [148, 142, 119], [197, 181, 104], [254, 232, 56]];  // cividis
const signedLight = [[5, 80, 160], [110, 165, 215], [247, 247, 245], [245, 170, 95], [180, 75, 0]];
const signedDark = [[110, 190, 255], [40, 100, 160], [24, 24, 27], [150, 75, 15], [255, 170, 70]];

/** The colours of 256 levels, as bytes. */
function ramp(stops) {
  const bytes = new Uint8Array(256 * 3);
  for (let level = 0; level < 256; level++) {
    const place = level / 255 * (stops.length - 1), i = Math.min(Math.floor(place), stops.length - 2);
    for (let c = 0; c < 3; c++) bytes[level * 3 + c] = stops[i][c] + (stops[i + 1][c] - stops[i][c]) * (place - i);
  }
  return bytes;
}

const ramps = { unsigned: ramp(unsigned), light: ramp(signedLight), dark: ramp(signedDark) };

/** The least and the largest finite value, and how many are not finite. */
function bounds(data) {
  let low = Infinity, high = -Infinity, strange = 0;
  for (const v of data) {
    if (!Number.isFinite(v)) { strange++; continue; }
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low > high ? { low: 0, high: 0, strange } : { low, high, strange };
}

/** A function that writes the colour of a value into bytes of an image at a place. */
function painter({ low, high }) {
  const isSigned = low < 0, reach = Math.max(Math.abs(low), Math.abs(high)) || 1;
  const bytes = isSigned ? ramps[isDark() ? "dark" : "light"] : ramps.unsigned;
  const from = isSigned ? -reach : Math.min(low, 0), over = (isSigned ? 2 * reach : high - from) || 1;
  return (value, image, at) => {
    if (value !== value || !Number.isFinite(value)) { image[at] = 220; image[at + 1] = 0; image[at + 2] = 160; }
    else {
      const level = Math.round((value - from) / over * 255) * 3;
      image[at] = bytes[level]; image[at + 1] = bytes[level + 1]; image[at + 2] = bytes[level + 2];
    }
    image[at + 3] = 255;
  };
}

/** The colours of an input image as they are: gray, or red, green and blue. */
function imagePainter({ low, high }, channels) {
  const over = high - low || 1;
  return (data, place, image, at) => {
    for (let c = 0; c < 3; c++) {
      const v = data[place * channels + (channels === 3 ? c : 0)];
      image[at + c] = Number.isFinite(v) ? (v - low) / over * 255 : c === 1 ? 0 : 200;
    }
    image[at + 3] = 255;
  };
}

// Panes: canvases as wide as their place, over time, with waves, spectrograms, ticks and the names of scales.

const STEPS = 288; // of a picture over time and frequency
const NAME = 13; // pixels from one name to the next

/** A frequency on an axis of parts from 0, at the bottom, to 1, and back. */
function frequencyAt({ low, high, log }, part) {
  return log ? low * (high / low) ** part : low + (high - low) * part;
}

function partOf({ low, high, log }, frequency) {
  const part = log ? Math.log(frequency / low) / Math.log(high / low) : (frequency - low) / (high - low);
  return frequency > low ? Math.min(part, 1) : 0;
}

/** Rows of one picture, each with its scale and its frequencies: what is not the chosen scale is zero. */
class Rows extends Maps {
  constructor(packed, end) {
    super(packed, end);
    const ends = packed.rows.map(({ from, to }) => [partOf(packed.axis, from), partOf(packed.axis, to)]);
    const over = (part) => ends.flatMap(([from, to], row) => (from <= part && part < to ? [row] : []));
    this.lines = Array.from({ length: STEPS }, (_, y) => { // which rows lie over its middle, and over narrower rows
      const high = 1 - y / STEPS, low = high - 1 / STEPS;
      const middles = ends.filter(([from, to]) => low <= from && to <= high).map(([from, to]) => (from + to) / 2);
      return [(low + high) / 2, ...middles].map(over);
    });
  }
  values(scale, signed) {
    const kind = signed ? "signed" : "magnitude", columns = this.shape[1];
    const whole = this.remember(kind, () => numbers(this.packed[kind][0]));
    if (this.scales.length === 1 || !scale) return whole;
    const of = (k) => this.packed.rows[Math.floor(k / columns)].scale;
    return this.remember(`${kind} ${scale}`, () => whole.map((value, k) => (of(k) === scale - 1 ? value : 0)));
  }
  /** One picture with the highest frequencies on top: rows over the same frequency add up, of narrow ones the largest. */
  picture(look) {
    const layer = this.layer(look), columns = this.shape[1];
    const at = (k) => {
      const column = k % columns;
      let largest = 0;
      for (const rows of this.lines[Math.floor(k / columns)]) {
        let sum = 0;
        for (const row of rows) sum += layer.values[row * columns + column];
        if (Math.abs(sum) > Math.abs(largest)) largest = sum;
      }
      return largest;
    };
    return heat(columns, STEPS, at, layer);
  }
  /** Where each scale lies in the middle, as a part of the height from the top. */
  middles() {
    const scales = this.scales.length > 1 ? this.scales.slice(1) : this.scales, { axis, rows } = this.packed;
    return scales.map((scale, k) => {
      const own = rows.filter((row) => row.scale === k);
      const low = Math.min(...own.map(({ from }) => from)), high = Math.max(...own.map(({ to }) => to));
      return { ...scale, place: 1 - (partOf(axis, low) + partOf(axis, high)) / 2 };
    });
  }
}

/** A canvas as wide as its place, with room for names on its left; `draw(pen, area)` fills it anew when that changes. */
class Pane {
  /** @param {?{ length: number, unit: string }} axis the ticks below, if any */
  constructor(label, height, draw, axis = null) {
    this.element = make("canvas", { role: "img", "aria-label": label, style: `height:${height + (axis ? 22 : 0)}px` });
    this.height = height;
    this.draw = draw;
    this.axis = axis;
    new ResizeObserver(() => this.redraw()).observe(this.element);
    DARK.addEventListener("change", () => this.redraw());
    for (const event of ["beforeprint", "afterprint"]) addEventListener(event, () => this.redraw());
  }
  redraw() {
    const { clientWidth, clientHeight } = this.element, ratio = Math.min(devicePixelRatio || 1, 3);
    if (!clientWidth) return;
    this.element.width = clientWidth * ratio;
    this.element.height = clientHeight * ratio;
    const pen = this.element.getContext("2d"), left = gutter(clientWidth);
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.element);
    const soft = style.getPropertyValue("--soft");
    const area = { left, width: clientWidth - left, height: this.height, ink: style.color, soft };
    pen.font = "11px system-ui, sans-serif";
    this.draw(pen, area);
    if (this.axis) ticks(pen, area, this.axis);
  }
}

function gutter(width) {
  return width < 480 ? 62 : 92;
}

function ticks(pen, { left, width, height, soft }, { length, unit }) {
  const least = length / (width < 420 ? 2 : 5), power = 10 ** Math.floor(Math.log10(least));
  const step = power * ([1, 2, 5].find((round) => round * power > least * 0.999) ?? 10);
  pen.fillStyle = soft;
  for (let k = 0; k * step < length * 1.001; k++) {
    const place = (k * step) / length;
    pen.textAlign = k === 0 ? "left" : place > 0.95 ? "right" : "center";
    pen.fillText(`${Number((k * step).toPrecision(3))} ${unit}`, left + width * place, height + 16);
  }
}

/** From the least to the greatest value of each column, and on to the column before it. */
function drawWave(pen, { left, width, height }, wave, colour) {
  const low = bytes(wave.low), high = bytes(wave.high), step = width / low.length;
  pen.fillStyle = colour;
  for (let k = 0; k < low.length; k++) {
    const before = Math.max(k - 1, 0), most = Math.max(high[k], low[before]), least = Math.min(low[k], high[before]);
    const top = height * (1 - most / 255), bottom = height * (1 - least / 255);
    pen.fillRect(left + k * step, top, Math.max(step, 0.6), Math.max(bottom - top, 1));
  }
}

/** The names of the scales beside their rows, the chosen one first: where rows are narrow some have no room. */
function nameRows(pen, { left, height, ink, soft }, scales, chosen) {
  const named = [];
  pen.textAlign = "right";
  for (const { name, label, place } of [...scales].sort((one, other) => Number(other.name === chosen) - Number(one.name === chosen))) {
    const y = Math.min(Math.max(place * height, NAME / 2), height - NAME / 2);
    if (named.some((other) => Math.abs(other - y) < NAME)) continue;
    named.push(y);
    pen.fillStyle = chosen && chosen !== name ? soft : ink;
    pen.font = `${chosen === name ? "700 " : ""}11px system-ui, sans-serif`;
    const shown = label && left > 70 ? label : name;
    pen.fillText(shown, left - 8, y + 4, left - 10);
  }
}

/** The spectrogram over the frequencies of an axis in Hz, white where it is loud. */
function overScales({ shape: [bins, frames], u8, step }, axis) {
  const values = bytes(u8), height = STEPS, found = canvas(frames, height), pen = found.getContext("2d");
  const image = pen.createImageData(frames, height);
  const bin = (y) => frequencyAt(axis, 1 - y / height) / step;
  for (let y = 0; y < height; y++) {
    const high = bin(y), low = bin(y + 1), first = Math.min(bins - 1, Math.ceil(low)), last = Math.min(bins - 1, Math.floor(high));
    for (let t = 0; t < frames; t++) {
      let loud = 0;
      if (first <= last) for (let k = first; k <= last; k++) loud = Math.max(loud, values[k * frames + t]);
      else {
        const k = Math.min(bins - 2, Math.floor(low)), part = (low + high) / 2 - k;
        loud = values[k * frames + t] * (1 - part) + values[(k + 1) * frames + t] * part;
      }
      image.data.set([loud, loud, loud, 255], 4 * (y * frames + t));
    }
  }
  pen.putImageData(image, 0, 0);
  return found;
}

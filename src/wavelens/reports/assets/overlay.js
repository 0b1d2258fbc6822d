// Maps over pictures: one colour scale for all scales of an entry, |γ| for each sample under a square root.

const ORANGE = "#b94700"; // of what is explained: white letters are read on it

/** The maps of an entry, unpacked when they are first looked at. */
class Maps {
  constructor(packed, end) {
    this.scales = packed.scales;
    this.shape = packed.shape;
    this.packed = packed;
    this.end = end;
    this.known = new Map();
  }
  remember(key, make) {
    if (!this.known.has(key)) this.known.set(key, make());
    return this.known.get(key);
  }
  values(scale, signed) {
    const kind = signed ? "signed" : "magnitude";
    return this.remember(`${kind} ${scale}`, () => numbers(this.packed[kind][scale]));
  }
  /** The size from which points are shown: those below it hold `threshold` percent of the sum. */
  cut(scale, signed, threshold) {
    if (!threshold) return 0;
    const [sorted, total] = this.remember(`sorted ${scale} ${signed}`, () => {
      const sizes = this.values(scale, signed).map(Math.abs).sort();
      return [sizes, sizes.reduce((sum, size) => sum + size, 0)];
    });
    let held = 0, k = 0;
    while (k < sorted.length - 1 && held + sorted[k] <= (total * threshold) / 100) held += sorted[k++];
    return sorted[k];
  }
  layer({ scale, signed, threshold, brightness }) {
    const end = this.end / gain(brightness);
    return { values: this.values(scale, signed), cut: this.cut(scale, signed, threshold), end, signed };
  }
}

/** A layer as a picture, `at(k)` its value at pixel k; with signs two: what supports the class, and what opposes it. */
function heat(width, height, at, { cut, end, signed }) {
  return (signed ? [1, -1] : [0]).map((sign) => {
    const found = canvas(width, height), pen = found.getContext("2d"), image = pen.createImageData(width, height);
    for (let k = 0; k < width * height; k++) {
      const value = at(k), size = Math.abs(value);
      if (size < cut || !size || value * sign < 0) continue;
      const level = Math.round(255 * Math.min(1, Math.sqrt(size / end)));
      const [colour, first] = sign > 0 ? [FOR, 0] : sign < 0 ? [AGAINST, 0] : [COLOURS, 3 * level];
      for (let part = 0; part < 3; part++) image.data[4 * k + part] = colour[first + part];
      image.data[4 * k + 3] = level;
    }
    pen.putImageData(image, 0, 0);
    return found;
  });
}

/** The picture, darkened towards grey with the opacity, and the layer over it. At full opacity that is the panel's. */
function paint(target, base, grey, pictures, opacity) {
  const pen = target.getContext("2d"), { width, height } = target;
  pen.globalCompositeOperation = "source-over";
  pen.clearRect(0, 0, width, height);
  pen.globalAlpha = 1;
  pen.drawImage(base, 0, 0, width, height);
  pen.globalAlpha = opacity;
  pen.drawImage(grey, 0, 0, width, height);
  pen.drawImage(pictures[0], 0, 0, width, height);
  if (pictures[1]) pen.drawImage(hatched(pictures[1], width, height), 0, 0);
  pen.globalAlpha = 1;
}

/**
 * Lines around parts of the picture: around what is explained solid and orange, around what stands beside it dashed and
 * white. `whole` draws all of them with their texts, else what is explained alone.
 */
function drawOutlines(target, outlines, whole) {
  const pen = target.getContext("2d"), { width, height } = target, unit = Math.max(width, height) / 480;
  const chosen = outlines.filter(({ explained }) => whole || explained);
  for (const { lines, explained } of chosen) {
    const path = new Path2D();
    for (const [x, y, right, bottom] of lines) {
      path.moveTo(x * width, y * height);
      path.lineTo(right * width, bottom * height);
    }
    stroke(pen, path, explained ? "#ffffff" : "#222222", (explained ? 3.6 : 2.4) * Math.max(unit, 0.6), []);
    const dashes = explained ? [] : [5 * unit, 4 * unit];
    stroke(pen, path, explained ? ORANGE : "#ffffff", (explained ? 2.2 : 1.2) * Math.max(unit, 0.6), dashes);
  }
  pen.setLineDash([]);
  if (whole) for (const one of chosen) if (one.text) plate(pen, one, unit);
}

function stroke(pen, path, colour, thickness, dashes) {
  pen.setLineDash(dashes);
  pen.lineCap = dashes.length ? "butt" : "square";
  pen.lineWidth = thickness;
  pen.strokeStyle = colour;
  pen.stroke(path);
}

/** A text on a plate in the corner of its outline, inside the picture. */
function plate(pen, { corner, text, explained }, unit) {
  const { width, height } = pen.canvas, size = 12 * unit, pad = 3 * unit;
  pen.font = `${explained ? "700 " : ""}${size}px system-ui, sans-serif`;
  pen.textAlign = "left";
  const wide = pen.measureText(text).width + 2 * pad, high = size + 2 * pad;
  const x = Math.max(0, Math.min(corner[0] * width, width - wide)), y = Math.max(0, Math.min(corner[1] * height, height - high));
  pen.fillStyle = explained ? ORANGE : "#222222d9";
  pen.fillRect(x, y, wide, high);
  pen.fillStyle = "#ffffff";
  pen.fillText(text, x + pad, y + pad + 0.8 * size);
}

/** A picture with stripes cut out, so that it is told apart without colour. */
function hatched(source, width, height) {
  const found = canvas(width, height), pen = found.getContext("2d"), step = Math.max(6, width / 90);
  pen.drawImage(source, 0, 0, width, height);
  pen.globalCompositeOperation = "destination-out";
  pen.lineWidth = step / 2.4;
  pen.beginPath();
  for (let x = -height; x < width; x += step) {
    pen.moveTo(x, 0);
    pen.lineTo(x + height, height);
  }
  pen.stroke();
  return found;
}

/** A picture in grey at 60 % of its brightness. */
function darkened(base, width = base.width, height = base.height) {
  const found = canvas(width, height), pen = found.getContext("2d");
  pen.drawImage(base, 0, 0, width, height);
  const image = pen.getImageData(0, 0, width, height);
  for (let k = 0; k < image.data.length; k += 4) {
    const grey = 0.2 * (image.data[k] + image.data[k + 1] + image.data[k + 2]);
    image.data[k] = image.data[k + 1] = image.data[k + 2] = grey;
  }
  pen.putImageData(image, 0, 0);
  return found;
}

/** The colour scale with its ends; for signs, both halves. */
function legend(state, end, unit) {
  const bar = canvas(240, 12), low = make("span"), high = make("span");
  const found = make("div", { class: "legend" }, low, bar, high, make("span", {}, `|γ| per ${unit}, under a square root`));
  state.listen(({ signed, brightness }) => {
    const last = short(end / gain(brightness));
    const pen = bar.getContext("2d"), at = (k) => (signed ? (k - 119.5) / 119.5 : k / 239);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, 240, 12);
    const row = Float32Array.from({ length: 240 * 12 }, (_, k) => at(k % 240) * Math.abs(at(k % 240)));
    const pictures = heat(240, 12, (k) => row[k], { cut: 0, end: 1, signed });
    pen.drawImage(pictures[0], 0, 0);
    if (signed) pen.drawImage(hatched(pictures[1], 240, 12), 0, 0);
    low.textContent = signed ? `against −${last}` : "0";
    high.textContent = signed ? `${last} for` : `${last} and more`;
  });
  return found;
}

/**
 * Buttons with a small picture for each scale; the chosen one is pressed, and pressing it again shows all.
 * `draw(target, scale, signed)` draws one, in the state's own look or in the `signed` one that is given.
 */
function tiles(state, maps, draw, width, height, signed) {
  const strip = make("div", { class: "strip" }), look = signed === undefined ? {} : { signed };
  const isChosen = (k) => state.scale === k && (signed === undefined || state.signed === signed);
  maps.scales.forEach((scale, k) => {
    const small = canvas(width, height);
    const button = make(
      "button", { class: "tile", type: "button", onclick: () => state.set({ scale: isChosen(k) ? 0 : k, ...look }) },
      small, make("b", {}, scale.name), make("small", {}, scale.label),
    );
    state.listen(() => {
      button.setAttribute("aria-pressed", isChosen(k));
      draw(small, k, signed ?? state.signed);
    });
    strip.append(button);
  });
  return strip;
}

/** The tiles; where signs are evidence those of how much, and those of what supports and what opposes the target. */
function scaleTiles(state, maps, draw, width, height, evidence) {
  if (!evidence) return tiles(state, maps, draw, width, height);
  return make("div", {},
    make("h4", {}, "how much"), tiles(state, maps, draw, width, height, false),
    make("h4", {}, "for (orange) and against (striped blue)"), tiles(state, maps, draw, width, height, true));
}

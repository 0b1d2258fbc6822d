// Time series: a pane for each channel, all over one window in time, and sums by channel and scale.

const CHANNEL_HEIGHTS = [34, 84], ALL_ROWS = 620, AXIS = 24, FREQUENCIES = 190, MOST_ZOOM = 14; // pixels of height; half octaves

/**
 * The window in time as parts of the whole: `zoom` half octaves, around a place that the position moves.
 * @returns {[number, number]}
 */
function windowOf({ zoom, position }) {
  const width = 2 ** (-zoom / 2), from = (position / 1000) * (1 - width);
  return [from, from + width];
}

/** Zoom and position for a window from one part of the whole to another. */
function zoomedTo(from, to) {
  const zoom = Math.max(0, Math.min(MOST_ZOOM, Math.floor(-2 * Math.log2(Math.max(to - from, 1e-6)))));
  const width = 2 ** (-zoom / 2), start = Math.max(0, Math.min((from + to - width) / 2, 1 - width));
  return { zoom, position: width < 1 ? Math.round((1000 * start) / (1 - width)) : 0 };
}

/** A part of a picture, from one part of its width to another, over an area. */
function drawPart(pen, source, { left, width, height }, [from, to]) {
  pen.drawImage(source, from * source.width, 0, (to - from) * source.width, source.height, left, 0, width, height);
}

function timeTicks(pen, { left, width, soft }, [from, to], length, unit) {
  const span = (to - from) * length, least = span / (width < 420 ? 3 : 7), power = 10 ** Math.floor(Math.log10(least));
  const step = power * ([1, 2, 5].find((round) => round * power > least * 0.999) ?? 10), digits = Math.max(0, -Math.floor(Math.log10(step)));
  pen.fillStyle = soft;
  for (let k = Math.ceil((from * length) / step - 1e-9); k * step <= to * length; k++) {
    const x = left + (width * (k * step - from * length)) / span;
    pen.textAlign = x < left + 12 ? "left" : x > left + width - 24 ? "right" : "center";
    pen.fillRect(x, 0, 1, 4);
    pen.fillText(`${(k * step).toFixed(digits)} ${unit}`, x, 16);
  }
}

/** A trace: a line through the samples, or where they are close from the least to the greatest in each pixel. */
function drawTrace(pen, { left, width, height, ink }, values, each, [from, to], count) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const room = 0.08 * (high - low || 1), y = (value) => height - (height * (value - low + room)) / (high - low + 2 * room);
  const groups = values.length / each, x = (group) => left + (width * ((group + 0.5) / groups - from)) / (to - from);
  const first = Math.max(0, Math.floor(from * groups) - 1), last = Math.min(groups - 1, Math.ceil(to * groups) + 1);
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, width, height);
  pen.clip();
  pen.strokeStyle = ink;
  pen.lineWidth = 1;
  pen.beginPath();
  const step = Math.max(1, Math.floor((last - first) / (2 * width)));
  for (let group = first; group <= last; group += step) {
    let least = Infinity, most = -Infinity;
    for (let k = group * each; k < Math.min((group + step) * each, values.length); k++) {
      least = Math.min(least, values[k]);
      most = Math.max(most, values[k]);
    }
    pen.lineTo(x(group), y(least));
    if (most > least) pen.lineTo(x(group), y(most));
  }
  pen.stroke();
  pen.restore();
}

function nameChannel(pen, { left, height, ink }, name) {
  pen.fillStyle = ink;
  pen.textAlign = "right";
  pen.fillText(name, left - 8, height / 2 + 4, left - 10);
}

/** Where the target is, as a line through all panes. */
function drawMarks(pen, { left, width, height, ink }, marks, [from, to], count) {
  pen.save();
  pen.strokeStyle = pen.fillStyle = ink;
  pen.setLineDash([2, 3]);
  for (const [start, stop] of marks) {
    const place = (sample) => left + (width * (sample / count - from)) / (to - from);
    const first = place(start), last = place(Math.max(stop, start + 1)), middle = (first + last) / 2;
    if (middle < left || middle > left + width) continue;
    pen.beginPath();
    pen.moveTo(middle, 0);
    pen.lineTo(middle, height);
    pen.stroke();
    pen.fillRect(Math.max(first, left), height - 3, Math.max(2, last - Math.max(first, left)), 3);
  }
  pen.restore();
}

async function showSeries(data, state, place, more) {
  await Promise.all([...data.waves, ...(data.frequencies?.magnitude ?? []), ...(data.scalp?.signed ?? [])].map(inflate));
  Object.assign(state, { signed: true, zoom: 0, position: 0 });
  const maps = new Maps(data.maps, data.end), waves = data.waves.map(numbers), [, columns] = maps.shape;
  const length = data.samples * data.step, count = data.channels.length;
  const height = Math.round(Math.min(CHANNEL_HEIGHTS[1], Math.max(CHANNEL_HEIGHTS[0], ALL_ROWS / count)));
  const rows = data.channels.map((name, row) => new Pane(`${name} over its attribution`, height, (pen, area) => {
    const layer = maps.layer(state), window = windowOf(state);
    const strips = heat(columns, 1, (k) => layer.values[row * columns + k], layer);
    pen.imageSmoothingEnabled = false;
    pen.globalAlpha = state.opacity / 100;
    drawPart(pen, strips[0], area, window);
    const against = canvas(Math.max(1, Math.round(area.width)), height), ink = against.getContext("2d");
    ink.imageSmoothingEnabled = false;
    drawPart(ink, strips[1], { left: 0, width: against.width, height }, window);
    pen.drawImage(hatched(against, against.width, height), area.left, 0);
    pen.globalAlpha = 1;
    drawMarks(pen, area, data.marks, window, data.samples);
    drawTrace(pen, area, waves[row], data.waves[row].each, window, data.samples);
    nameChannel(pen, area, name);
  }));
  const panes = [...rows, new Pane("time", AXIS, (pen, area) => timeTicks(pen, area, windowOf(state), length, data.axis))];
  const named = [make("h4", {}, "Channels over the attribution"), ...panes.map(({ element }) => element)];
  if (data.frequencies) {
    const over = new Rows(data.frequencies, data.frequencies.end), scales = over.middles();
    const pane = new Pane("the attribution over time and frequency", FREQUENCIES, (pen, area) => {
      pen.fillStyle = "#000";
      pen.fillRect(area.left, 0, area.width, area.height);
      pen.imageSmoothingEnabled = false;
      const [picture] = over.picture({ ...state, signed: false });
      drawPart(pen, picture, area, windowOf(state));
      nameRows(pen, area, scales, state.scale ? maps.scales[state.scale].name : "");
    });
    panes.push(pane);
    named.push(make("h4", {}, "|γ| over time and frequency, all channels"), pane.element);
  }
  const stack = make("div", { class: "panes" }, ...named), selected = make("div", { class: "selected", hidden: true });
  stack.append(selected);
  dragToZoom(stack, selected, state, rows[0].element);
  const zoom = make("div", { class: "controls" },
    slider(state, "zoom", "Zoom", { max: MOST_ZOOM, say: (v) => `× ${short(2 ** (v / 2))}` }),
    slider(state, "position", "Position", { max: 1000, step: 5, say: () => `from ${short(windowOf(state)[0] * length)} ${data.axis}` }));
  const whole = make("button", { type: "button", class: "plain", onclick: () => state.set({ zoom: 0, position: 0 }) }, "Whole series");
  place.append(card("When, and in which channel", stack, zoom, whole, controls(state, maps), legend(state, data.end, data.unit)));
  if (data.channels.length > 1) more.append(sumTable(data, state, maps.scales.length > 1 ? maps.scales.slice(1) : maps.scales));
  if (data.scalp) more.append(scalpCard(data.scalp, state));
  state.listen(() => panes.forEach((pane) => pane.redraw()));
}

/** The head from above, the nose upwards: what each channel contributes, at its electrode and between them. */
function scalpCard(data, state) {
  const heads = new Maps(data, data.end), named = canvas(560, 560, "signed sums over the scalp");
  const strip = tiles(state, heads, (target, k) => drawHead(target, heads, k, data, false), 150, 150);
  state.listen(() => drawHead(named, heads, state.scale, data, true));
  const again = () => state.set({});
  new ResizeObserver(again).observe(named);
  DARK.addEventListener("change", again);
  for (const event of ["beforeprint", "afterprint"]) addEventListener(event, again);
  return card("On the scalp", make("div", { class: "scalp" }, named, strip),
    hint("Signed sum of each channel at its electrode, between electrodes means of theirs; the nose is up. Orange supports the target, striped blue opposes it, in one colour scale. A head chooses its scale."));
}

function drawHead(target, heads, scale, data, isNamed) {
  const pen = target.getContext("2d"), { width } = target, [side] = heads.shape, ink = getComputedStyle(target).color;
  if (!ink) return; // not in the page yet
  const layer = { values: heads.values(scale, true), cut: 0, end: data.end, signed: true };
  const [first, against] = heat(side, side, (k) => layer.values[k], layer);
  const room = 1.25, part = data.reach / room, from = (width * (1 - part)) / 2;
  const place = (x, y) => [width / 2 + (x * width) / (2 * room), width / 2 - (y * width) / (2 * room)];
  pen.clearRect(0, 0, width, width);
  pen.drawImage(first, from, from, width * part, width * part);
  pen.drawImage(hatched(against, Math.round(width * part), Math.round(width * part)), from, from);
  pen.strokeStyle = pen.fillStyle = ink;
  pen.lineWidth = Math.max(1, width / 280);
  pen.beginPath();
  pen.arc(width / 2, width / 2, width / (2 * room), 0, 2 * Math.PI);
  for (const [k, [x, y]] of [[-0.13, 0.99], [0, 1.13], [0.13, 0.99]].entries()) k ? pen.lineTo(...place(x, y)) : pen.moveTo(...place(x, y));
  pen.stroke();
  pen.font = "17px system-ui, sans-serif";
  pen.textAlign = "center";
  data.electrodes.forEach(([x, y], k) => {
    const [across, down] = place(x, y);
    pen.beginPath();
    pen.arc(across, down, Math.max(1.2, width / 160), 0, 2 * Math.PI);
    pen.fill();
    if (isNamed && data.names.length <= 40) pen.fillText(data.names[k], across, down - 8);
  });
}

/** A span drawn with the pointer becomes the window; a double click shows the whole. */
function dragToZoom(stack, selected, state, pane) {
  /** @type {number | null} */
  let start = null;
  const part = (event) => {
    const box = pane.getBoundingClientRect(), left = gutter(pane.clientWidth);
    return Math.min(1, Math.max(0, (event.clientX - box.left - left) / (pane.clientWidth - left)));
  };
  const show = (one, other) => {
    const left = gutter(pane.clientWidth), width = pane.clientWidth - left;
    selected.style.left = `${left + width * Math.min(one, other)}px`;
    selected.style.width = `${width * Math.abs(one - other)}px`;
  };
  stack.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button) return;
    start = part(event);
    stack.setPointerCapture(event.pointerId);
  });
  stack.addEventListener("pointermove", (event) => {
    if (start === null) return;
    selected.hidden = false;
    show(start, part(event));
  });
  stack.addEventListener("pointerup", (event) => {
    const end = part(event), [from, to] = windowOf(state), ends = [start ?? end, end].sort((one, other) => one - other);
    if (start !== null && ends[1] - ends[0] > 0.01) state.set(zoomedTo(...ends.map((one) => from + one * (to - from))));
    start = null;
    selected.hidden = true;
  });
  stack.addEventListener("dblclick", () => state.set({ zoom: 0, position: 0 }));
}

VIEWS.series = showSeries;

"use strict";
// What every view needs: numbers out of text, elements, controls, and the state that they change.

const COLOURS = bytes(read("colours"));
const FOR = [255, 149, 64], AGAINST = [74, 163, 255]; // over dark pictures
const VIEWS = {}; // each view's script adds its function (data, state, place, more)
const DARK = matchMedia("(prefers-color-scheme: dark)");

addEventListener("beforeprint", () => document.documentElement.classList.add("printed")); // paper is light
addEventListener("afterprint", () => document.documentElement.classList.remove("printed"));

function read(id) {
  const block = document.getElementById(id);
  if (!block) throw new Error(`this report has no data block "${id}"`);
  return JSON.parse(block.textContent);
}

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Inflates what `packing.magnitudes` and `packing.signs` wrote, for `numbers` to read. */
async function inflate(packed) {
  const stream = new Blob([bytes(packed.u12 ?? packed.i12)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer()), count = raw.length / 2;
  packed.steps = Int16Array.from({ length: count }, (_, k) => raw[k] | (raw[count + k] << 8));
}

function numbers({ steps, top, u12 }) {
  const most = u12 === undefined ? 2047 : 4095;
  let q = 0;
  return Float32Array.from(steps, (step) => (q += step, Math.sign(q) * (q / most) ** 2 * top));
}

/** An element; texts stay texts. */
function make(name, attributes = {}, ...inside) {
  const found = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) found.addEventListener(key.slice(2), value);
    else if (value === true) found.setAttribute(key, "");
    else if (value !== false && value != null) found.setAttribute(key, value);
  }
  found.append(...inside.filter((one) => one != null));
  return found;
}

function canvas(width, height, label) {
  return make("canvas", { width, height, ...(label ? { role: "img", "aria-label": label } : {}) });
}

function card(title, ...inside) {
  return make("section", { class: "card" }, title ? make("h3", {}, title) : null, ...inside);
}

function beside(side, found) {
  if (side) found.classList.add(side);
  return found;
}

function hint(text) {
  return make("p", { class: "hint" }, text);
}

/** A picture that is drawn as soon as it is decoded. */
function picture(source) {
  return new Promise((done, failed) => {
    const found = new Image();
    found.onload = () => done(found);
    found.onerror = () => failed(new Error("a picture of this report could not be decoded"));
    found.src = source;
  });
}

/** What is shown of an entry; `set` tells all who listen, once for several changes. */
class State {
  constructor() {
    this.listeners = [];
    this.waiting = false;
  }
  set(changes) {
    Object.assign(this, changes);
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      for (const listener of this.listeners) listener(this);
    });
  }
  listen(listener) {
    this.listeners.push(listener);
    listener(this);
  }
}

/** A state with these fields. @template T @param {T} values */
function stateOf(values) {
  return Object.assign(new State(), values);
}

/** A slider for a field of the state; `say` tells a value in words. */
function slider(state, field, title, { min = 0, max, step = 1, say }) {
  const input = make("input", { type: "range", min, max, step, "data-field": field });
  const output = make("i", { class: "value", "aria-hidden": "true" }); // no <output>: the label would be its own
  input.addEventListener("input", () => state.set({ [field]: Number(input.value) }));
  state.listen(() => {
    if (Number(input.value) !== state[field]) input.value = state[field];
    output.textContent = say(state[field]);
    input.setAttribute("aria-valuetext", output.textContent);
  });
  return make("label", { class: "control" }, make("span", {}, title, output), input);
}

function toggle(state, field, title) {
  const input = make("input", { type: "checkbox", "data-field": field });
  input.addEventListener("change", () => state.set({ [field]: input.checked }));
  state.listen(() => { input.checked = state[field]; });
  return make("label", { class: "switch" }, input, title);
}

/** A number and its unit, on one line. */
function quantity(value, unit) {
  return `${value}\u00a0${unit}`;
}

function percent(part) {
  return quantity(Math.round(100 * part), "%");
}

function short(value) {
  if (!value) return "0";
  if (Math.abs(value) >= 99.5 && Math.abs(value) < 1e4) return value.toFixed(0).replace("-", "−");
  return (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e4 ? value.toExponential(1) : value.toPrecision(2)).replace("-", "−");
}

function scaleText(scale) {
  return scale.label ? `${scale.name} · ${scale.label}` : scale.name;
}

/** The sliders that all kinds have. */
function controls(state, maps) {
  const found = make("div", { class: "controls" });
  if (maps.scales.length > 1) {
    const say = (k) => scaleText(maps.scales[k]);
    found.append(slider(state, "scale", "Scale", { max: maps.scales.length - 1, say }));
  }
  found.append(
    slider(state, "threshold", "Threshold", {
      max: 99,
      say: (v) => (v ? `top ${quantity(100 - v, "%")} of |γ|` : "all points"),
    }),
    slider(state, "brightness", "Brightness", { max: 10, say: (v) => (v ? `× ${short(gain(v))}` : "× 1") }),
    slider(state, "opacity", "Opacity", { max: 100, say: (v) => quantity(v, "%") }),
  );
  return found;
}

/** How much brighter all maps of an entry are: twice at every second step. */
function gain(step) {
  return 2 ** (step / 2);
}

function openingState(more = {}) {
  return stateOf({ scale: 0, threshold: 0, brightness: 0, opacity: 90, signed: false, outlined: true, ...more });
}

// Words: pointing at one, or choosing it, shows where in the input it is answered; a scale of the text colours them.

/** The picture, or the course over time, that follows the word under the pointer. */
async function showSides(place, data) {
  showParts(place, data.sides.parts);
  const { maps, shape, end } = data.sides, answered = place.querySelector(".answered");
  if (!answered || !maps.length) return answered?.remove();
  await Promise.all(maps.map(inflate));
  const state = stateOf({ word: -1, chosen: -1 });
  const values = (k) => (maps[k].values ??= numbers(maps[k]));
  const draw = shape.length === 2 && data.looks ? await overPicture(data, shape, end) : overTime(shape, end);
  const caption = make("figcaption"), words = [...place.querySelectorAll("button.term")];
  answered.prepend(make("figure", { class: "answer-map" }, make("div", { class: "stage" }, draw.canvas), caption));
  for (const one of place.querySelectorAll("[data-term]")) {
    const k = Number(one.dataset.term);
    one.addEventListener("pointerenter", () => state.set({ word: k }));
    one.addEventListener("pointerleave", () => state.set({ word: -1 }));
    one.addEventListener("focus", () => state.set({ word: k }));
    one.addEventListener("blur", () => state.set({ word: -1 }));
    one.addEventListener("click", () => state.set({ chosen: state.chosen === k ? -1 : k }));
  }
  state.listen(({ word, chosen }) => {
    const k = word >= 0 ? word : chosen;
    draw(values(k + 1));
    const adverb = shape.length === 1 ? "when" : "where";
    const text = k >= 0 ? `${adverb} “${words[k].firstChild.textContent}” is answered` : `${adverb} all words are answered`;
    caption.textContent = text;
    draw.canvas.setAttribute("aria-label", text);
    words.forEach((one, j) => one.setAttribute("aria-pressed", String(j === chosen)));
    for (const row of place.querySelectorAll("tr[data-term]")) row.classList.toggle("chosen", Number(row.dataset.term) === k);
  });
}

/** The words in the colours of a scale of the text while it is pointed at, or once it is chosen. */
function showParts(place, parts) {
  const words = [...place.querySelectorAll("button.term")], rows = [...place.querySelectorAll("[data-part]")];
  const own = words.map((one) => [one.style.getPropertyValue("--part"), one.classList.contains("against"), one.querySelector("small").textContent]);
  const state = stateOf({ part: "", kept: "" });
  for (const one of rows) {
    const name = one.dataset.part;
    for (const begun of ["pointerenter", "focus"]) one.addEventListener(begun, () => state.set({ part: name }));
    for (const ended of ["pointerleave", "blur"]) one.addEventListener(ended, () => state.set({ part: "" }));
    one.addEventListener("click", () => state.set({ kept: state.kept === name ? "" : name }));
  }
  state.listen(({ part, kept }) => {
    const values = parts[part || kept], most = values && (Math.max(...values.map(Math.abs)) || 1);
    words.forEach((one, k) => {
      const [size, against, text] = values
        ? [`${Math.round((100 * Math.abs(values[k])) / most)}%`, values[k] < 0, `${values[k] > 0 ? "+" : ""}${short(values[k])}`]
        : own[k];
      one.style.setProperty("--part", size);
      one.classList.toggle("against", against);
      one.classList.toggle("for", !against);
      one.querySelector("small").textContent = text;
    });
    for (const one of rows) one.setAttribute("aria-pressed", String(one.dataset.part === kept));
  });
}

/** Draws signed values `(rows, columns)` over the darkened input. */
async function overPicture(data, [rows, columns], end) {
  const base = await picture(data.looks[0].input), grey = darkened(base), [width, height] = data.size;
  const factor = Math.max(1, Math.ceil(640 / Math.max(width, height)));
  const target = canvas(width * factor, height * factor, "where words are answered");
  const draw = (values) => paint(target, base, grey, heat(columns, rows, (k) => values[k], { cut: 0, end, signed: true }), 0.9);
  return Object.assign(draw, { canvas: target });
}

/** Draws signed values as bars over time, those against striped below the line. */
function overTime([count], end) {
  const target = canvas(720, 180, "when words are answered");
  const draw = (values) => {
    const pen = target.getContext("2d"), step = 720 / count;
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, 720, 180);
    for (let k = 0; k < count; k++) {
      const part = Math.sign(values[k]) * Math.min(1, Math.sqrt(Math.abs(values[k]) / end));
      pen.fillStyle = `rgb(${(part > 0 ? FOR : AGAINST).join(" ")})`;
      pen.fillRect(k * step, part > 0 ? 90 - 88 * part : 90, Math.max(step, 1), 88 * Math.abs(part));
    }
  };
  return Object.assign(draw, { canvas: target });
}

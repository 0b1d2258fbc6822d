// Photos, and any signal with two axes.

async function showPhoto(data, state, place, more) {
  const maps = new Maps(data.maps, data.end), bases = await Promise.all(data.looks.map(({ input }) => picture(input)));
  const greys = bases.map((one) => darkened(one)), [rows, columns] = maps.shape, [width, height] = data.size;
  const factor = Math.max(1, Math.ceil(960 / Math.max(width, height)));
  const main = canvas(width * factor, height * factor, "the input with the map over it");

  const outlines = data.outlines ?? [];
  Object.assign(state, { look: 0 });
  const parts = await Promise.all(data.parts.map(picture)); // without places there is no map to lay over the input
  const draw = (target, scale, signed = state.signed) => {
    if (parts.length) return target.getContext("2d").drawImage(parts[scale], 0, 0, target.width, target.height);
    const layer = maps.layer({ ...state, scale, signed });
    paint(target, bases[state.look], greys[state.look], heat(columns, rows, (k) => layer.values[k], layer), state.opacity / 100);
    if (outlines.length && state.outlined) drawOutlines(target, outlines, target === main);
  };
  const stage = make("div", { class: height > 1.15 * width ? "stage tall" : "stage" }, main);
  const viewer = card(parts.length ? "What each scale holds" : "Where it lies", stage);
  if (parts.length) viewer.append(hint("These coefficients have no places. Choose a scale below: its part of the input, details around grey."));
  else viewer.append(controls(state, maps));
  if (maps.packed.signed.length && !parts.length) viewer.append(toggle(state, "signed", "For and against: orange supports the class, striped blue opposes it"));
  if (outlines.length && !parts.length) viewer.append(toggle(state, "outlined", outlines.length > 1 ? "Boxes of what is detected" : "Outline of what is explained"));
  if (!parts.length) viewer.append(legend(state, data.end, data.unit));
  if (data.looks.length > 1) viewer.append(lookButtons(state, data.looks));
  else if (data.looks[0].name) viewer.append(hint(`Bands shown: ${data.looks[0].name}`));
  state.listen(() => {
    draw(main, state.scale);
    const text = scaleText(maps.scales[state.scale]);
    main.setAttribute("aria-label", parts.length ? `the input's part in ${text}` : `the input with the map of ${text} over it`);
  });
  place.append(viewer);
  if (data.sums) more.append(sumTable(data, state, maps.scales.length > 1 ? maps.scales.slice(1) : maps.scales));
  if (maps.scales.length > 1) {
    const small = 160 / Math.max(width, height);
    const sides = [width, height].map((side) => Math.max(1, Math.round(side * small)));
    const strip = scaleTiles(state, maps, draw, sides[0], sides[1], data.evidence && !parts.length);
    const note = parts.length ? "The input, and its part in each scale." : "One colour scale for all: what is brighter matters more.";
    more.append(card("Each scale by itself", strip, hint(note)));
  }
  if (maps.scales.length > 1 && data.mosaic) {
    const tall = make("div", { class: "mosaic" }, mosaic(state, maps, data.mosaic));
    more.append(beside("left", card("Mosaic", tall, hint(
      "Every coefficient at its place: coarse in the upper left corner, each finer scale around it. " +
      "Horizontal edges lie in the lower left tile of a scale, vertical ones in the upper right, diagonals between."
    ))));
  }
  if (data.rose) {
    more.append(beside(data.rebuilt.length ? "right" : "", card("Lines by direction", rose(state, maps, data.rose), hint(
      "Sectors point along the lines that they stand for; their areas are shares of |γ|."
    ))));
  }
  const side = data.mosaic ? "right" : data.rose ? "left" : "";
  if (data.rebuilt.length) more.append(beside(side, card("What matters most, alone", rebuilt(data))));
}

/** Bands as a picture: true colour, false colour, or which bands stand for red, green and blue. */
function lookButtons(state, looks) {
  const buttons = looks.map(({ name }, look) => {
    const button = make("button", { type: "button", class: "plain", onclick: () => state.set({ look }) }, name);
    state.listen(() => button.setAttribute("aria-pressed", state.look === look));
    return button;
  });
  return make("div", { class: "looks", role: "group", "aria-label": "bands shown" }, ...buttons);
}

/** The input, and what its strongest coefficients leave of it. */
function rebuilt(data) {
  const tiles = [{ part: 1, input: data.looks[0].input }, ...[...data.rebuilt].reverse()].map(({ part, input }) => make(
    "figure", { class: "tile" },
    make("img", { src: input, alt: part === 1 ? "the input" : `rebuilt from ${quantity(100 * part, "%")} of its coefficients` }),
    make("b", {}, part === 1 ? "the input" : `strongest ${quantity(100 * part, "%")}`),
  ));
  return make("div", {}, make("div", { class: "strip" }, ...tiles),
    hint("Rebuilt from the coefficients that matter most, the rest set to zero."));
}

VIEWS.photo = showPhoto;

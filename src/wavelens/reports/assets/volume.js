// Volumes: three slices that meet in a voxel; pressing or dragging in one moves the other two.

const MARKS = "#f9a03f", OUTLINE = "#7fe0ff", PATIENT = ["LR", "PA", "IS"], CRISP = 64; // voxels along an axis below which each is shown as a box

async function showVolume(data, state, place, more) {
  await Promise.all([...(data.apart?.magnitude ?? []), ...(data.apart?.signed ?? [])].map(inflate));
  const maps = new Maps(data.maps, data.end), apart = data.apart && new Maps(data.apart, data.end);
  const greys = [data.grey, ...data.behind].map((one) => ({ ...one, values: bytes(one.u8) }));
  const region = data.region && { ...data.region, values: bytes(data.region.u8) };
  data.at.forEach((value, axis) => { state[`at${axis}`] = value; });
  state.behind = 0;
  const at = () => [0, 1, 2].map((axis) => state[`at${axis}`]);
  const slices = [0, 1, 2].map((axis) => slice(axis));

  function slice(axis) {
    const [right, up] = [0, 1, 2].filter((k) => k !== axis);
    const wide = data.size[right] * data.step[right], tall = data.size[up] * data.step[up], factor = 480 / Math.max(wide, tall);
    const target = canvas(Math.max(1, Math.round(wide * factor)), Math.max(1, Math.round(tall * factor)));
    return { axis, right, up, target };
  }

  /** The index in an array of `shape` of each pixel of a slice with that array's own voxels; the later axis upwards. */
  function reader({ axis, right, up }, shape) {
    const width = shape[right], height = shape[up], strides = [shape[1] * shape[2], shape[2], 1];
    const fixed = Math.floor(((at()[axis] + 0.5) * shape[axis]) / data.size[axis]) * strides[axis];
    const index = (k) => fixed + (k % width) * strides[right] + (height - 1 - Math.floor(k / width)) * strides[up];
    return { width, height, index };
  }

  /** The slice of a scan, of `greys`, under a map of `layers`. */
  function draw(one, target, layers, scale, scan, marks, signed = state.signed) {
    const grey = greys[scan], behind = reader(one, grey.shape), over = reader(one, layers.shape);
    const layer = layers.layer({ ...state, scale, signed });
    const base = canvas(behind.width, behind.height), pen = base.getContext("2d");
    const image = pen.createImageData(behind.width, behind.height);
    for (let k = 0; k < behind.width * behind.height; k++) {
      const value = grey.values[behind.index(k)];
      image.data.set([value, value, value, 255], 4 * k);
    }
    pen.putImageData(image, 0, 0);
    target.getContext("2d").imageSmoothingEnabled = Math.max(...data.size) >= CRISP;
    const pictures = heat(over.width, over.height, (k) => layer.values[over.index(k)], layer);
    paint(target, base, darkened(base), pictures, state.opacity / 100);
    if (region) outline(one, target);
    if (marks) mark(one, target);
    if (marks && data.patient) letters(one, target);
  }

  /** The border of the region that is explained. */
  function outline(one, target) {
    const { width, height, index } = reader(one, region.shape), pen = target.getContext("2d");
    const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && region.values[index(x + width * y)] > 127;
    const right = target.width / width, down = target.height / height;
    pen.beginPath();
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (!inside(x, y)) continue;
        for (const [beside, from, to] of [[[x - 1, y], [x, y], [x, y + 1]], [[x + 1, y], [x + 1, y], [x + 1, y + 1]],
          [[x, y - 1], [x, y], [x + 1, y]], [[x, y + 1], [x, y + 1], [x + 1, y + 1]]]) {
          if (inside(...beside)) continue;
          pen.moveTo(from[0] * right, from[1] * down);
          pen.lineTo(to[0] * right, to[1] * down);
        }
      }
    }
    pen.strokeStyle = OUTLINE;
    pen.lineWidth = Math.max(1, target.width / 320);
    pen.stroke();
  }

  /** Where right, left, front, back, head and feet are, at the middle of each edge. */
  function letters({ right, up }, target) {
    const pen = target.getContext("2d"), { width, height } = target, { ends } = data.patient;
    const edges = [[ends[right][0], 12, height / 2], [ends[right][1], width - 12, height / 2],
      [ends[up][0], width / 2, height - 12], [ends[up][1], width / 2, 12]];
    pen.font = "600 17px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineWidth = 4;
    pen.strokeStyle = "#000";
    pen.fillStyle = "#fff";
    for (const [letter, x, y] of edges) {
      pen.strokeText(letter, x, y);
      pen.fillText(letter, x, y);
    }
  }

  /** Where the slices meet in the patient: 'R 12.5, A 20.0, S 5.0 mm'. */
  function meeting() {
    const where = data.patient.affine.map((row) => at().reduce((sum, value, axis) => sum + row[axis] * value, row[3]));
    return `${where.map((value, k) => `${PATIENT[k][Number(value >= 0)]} ${Math.abs(value).toFixed(1)}`).join(", ")} mm`;
  }

  /** Where the other two slices cut this one: at its rim, and faintly all the way. */
  function mark({ right, up }, target) {
    const pen = target.getContext("2d"), { width, height } = target, where = at();
    const x = ((where[right] + 0.5) / data.size[right]) * width, y = (1 - (where[up] + 0.5) / data.size[up]) * height;
    const lines = [[x, 0, x, height], [0, y, width, y]];
    pen.lineWidth = 2;
    pen.strokeStyle = MARKS;
    for (const [part, alpha] of [[1, 0.28], [0.07, 1]]) {
      pen.globalAlpha = alpha;
      for (const [x0, y0, x1, y1] of lines) {
        for (const [a, b] of part === 1 ? [[0, 1]] : [[0, part], [1 - part, 1]]) {
          pen.beginPath();
          pen.moveTo(x0 + (x1 - x0) * a, y0 + (y1 - y0) * a);
          pen.lineTo(x0 + (x1 - x0) * b, y0 + (y1 - y0) * b);
          pen.stroke();
        }
      }
    }
    pen.globalAlpha = 1;
  }

  function move(one, event) {
    const box = one.target.getBoundingClientRect();
    const clamp = (part, n) => Math.min(n - 1, Math.max(0, Math.floor(part * n)));
    state.set({
      [`at${one.right}`]: clamp((event.clientX - box.left) / box.width, data.size[one.right]),
      [`at${one.up}`]: clamp(1 - (event.clientY - box.top) / box.height, data.size[one.up]),
    });
  }

  const trio = make("div", { class: "trio" });
  for (const one of slices) {
    one.target.setAttribute("role", "img");
    one.target.addEventListener("pointerdown", (event) => {
      one.target.setPointerCapture(event.pointerId);
      move(one, event);
    });
    one.target.addEventListener("pointermove", (event) => event.buttons && move(one, event));
    const { axis } = one, n = data.size[axis], unit = data.units[axis];
    const say = (v) => `${v + 1} of ${n}` + (unit === "voxels" ? "" : `, ${quantity(short((v + 0.5) * data.step[axis]), unit)}`);
    trio.append(make("div", {}, make("div", { class: "stage" }, one.target),
      slider(state, `at${axis}`, data.patient ? capital(data.patient.planes[axis]) : `Slice across axis ${axis + 1}`, { max: n - 1, say })));
    state.listen(() => {
      draw(one, one.target, maps, state.scale, state.behind, true);
      one.target.setAttribute("aria-label",
        `slice across axis ${axis + 1}, ${say(state[`at${axis}`])}, with the map of ${scaleText(maps.scales[state.scale])}`);
    });
  }
  const sliders = controls(state, maps);
  if (apart) sliders.append(slider(state, "behind", "Scan behind", { max: greys.length - 1, say: (k) => (k ? data.channels[k - 1] : "mean of all") }));
  const viewer = card("Where it lies", trio, sliders);
  if (maps.packed.signed.length) viewer.append(toggle(state, "signed", "For and against: orange supports the class, striped blue opposes it"));
  viewer.append(legend(state, data.end, data.unit));
  if (data.patient) {
    const where = hint("");
    state.listen(() => { where.textContent = `The slices meet at ${meeting()}, towards right (R) or left (L), front (A) or back (P), head (S) or feet (I).`; });
    viewer.append(where);
  }
  viewer.append(hint(`Press or drag in a slice to move the other two there. Later axes point upwards.${region ? " The line is the region whose volume is explained." : ""}`));
  place.append(viewer);
  if (apart) showChannels();
  if (maps.scales.length < 2) return;
  const [last] = slices.slice(-1), small = 160 / Math.max(last.target.width, last.target.height);
  const strip = scaleTiles(state, maps, (target, scale, signed) => draw(last, target, maps, scale, state.behind, false, signed),
    Math.max(1, Math.round(last.target.width * small)), Math.max(1, Math.round(last.target.height * small)), data.evidence);
  more.append(beside("left", card("Each scale by itself", strip, hint("The slice across axis 3. One colour scale for all: what is brighter matters more."))));
  if (data.mosaic) more.append(beside("right", card("Mosaic", make("div", { class: "mosaic" }, mosaic(state, maps, data.mosaic)),
    hint("All coefficients, the largest along axis 1: coarse in the upper left corner, each finer scale around it."))));

  /** Sums by channel and scale, and a tile for each channel: its own scan under its own map, which it puts behind. */
  function showChannels() {
    const one = slices[2], strip = make("div", { class: "strip" }), size = 160 / Math.max(one.target.width, one.target.height);
    data.channels.forEach((name, k) => {
      const small = canvas(Math.max(1, Math.round(one.target.width * size)), Math.max(1, Math.round(one.target.height * size)));
      const button = make("button", { class: "tile", type: "button", onclick: () => state.set({ behind: state.behind === k + 1 ? 0 : k + 1 }) },
        small, make("b", {}, name));
      state.listen(() => {
        button.setAttribute("aria-pressed", state.behind === k + 1);
        draw(one, small, apart, k, k + 1, false);
      });
      strip.append(button);
    });
    more.append(sumTable(data, state, maps.scales.length > 1 ? maps.scales.slice(1) : maps.scales));
    more.append(card("Each channel by itself", strip,
      hint("The slice across axis 3: each channel's own scan under its own map, all scales together. Pressing one puts its scan behind the slices above.")));
  }
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

VIEWS.volume = showVolume;

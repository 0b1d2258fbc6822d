// Clouds: points to turn by dragging, coloured by their attribution. The third coordinate points upwards.

const SHADE = [84, 92, 102], NIGHT = "#101216", DEPTHS = 1024; // of points without attribution, behind them, told apart
const SIDES = { front: [0, 0], right: [90, 0], above: [0, 90] };
const TILE_POINTS = 1500;

function showCloud(data, state, place, more) {
  const maps = new Maps(data.maps, data.end), count = maps.shape[0], words = new Uint16Array(bytes(data.points).buffer);
  const points = Float32Array.from(words, (word, k) => word / 65535 - data.middle[k % 3]);
  Object.assign(state, { turn: 30, tilt: 20, zoom: 0, size: 4 });

  /** Where each point is drawn: to the right, upwards, and how near, all in sides of the cloud. */
  function seen(every) {
    const turn = (state.turn * Math.PI) / 180, tilt = (state.tilt * Math.PI) / 180;
    const [a, b, c, d] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
    const shown = Math.ceil(count / every), right = new Float32Array(shown), up = new Float32Array(shown);
    const depth = new Uint16Array(shown);
    for (let k = 0; k < shown; k++) {
      const first = 3 * k * every, x = points[first], y = points[first + 1], z = points[first + 2], away = y * a - x * b;
      right[k] = x * a + y * b;
      up[k] = z * c + away * d;
      depth[k] = Math.round(Math.min(1, Math.max(0, 0.5 + (z * d - away * c) / 2)) * (DEPTHS - 1));
    }
    return { right, up, order: sorted(depth) };
  }

  /** The farthest first. */
  function sorted(depth) {
    const starts = new Uint32Array(DEPTHS + 1), order = new Uint32Array(depth.length);
    for (const value of depth) starts[value + 1]++;
    for (let k = 0; k < DEPTHS; k++) starts[k + 1] += starts[k];
    depth.forEach((value, k) => { order[starts[value]++] = k; });
    return order;
  }

  function draw(target, scale, signed, every, hasRuler = false) {
    const { width, height } = target, pen = target.getContext("2d"), { right, up, order } = seen(every);
    const { values, cut, end } = maps.layer({ ...state, scale, signed });
    const unit = Math.min(width, height) * 0.72 * 2 ** (state.zoom / 4), opacity = state.opacity / 100;
    const size = Math.max(1.2 + 150 / Math.min(width, height), (state.size * Math.min(width, height) * Math.sqrt(every)) / 900 / Math.max(0.5, Math.sqrt(count / 3000)));
    pen.fillStyle = NIGHT;
    pen.fillRect(0, 0, width, height);
    for (const k of order) {
      const value = values[k * every], large = Math.abs(value), plain = !large || large < cut;
      const level = plain ? 0 : Math.min(1, Math.sqrt(large / end)), part = level * opacity;
      const first = 3 * Math.round(255 * (0.15 + 0.85 * level));
      const colour = signed ? (value > 0 ? FOR : AGAINST) : COLOURS.subarray(first, first + 3);
      pen.fillStyle = `rgb(${SHADE.map((grey, j) => Math.round(grey + (colour[j] - grey) * part)).join(" ")})`;
      const tall = signed && value < 0 && level > 0.1 ? size / 3 : size; // dashes against, told apart without colour
      const wide = tall < size ? size * 1.6 : size;
      pen.fillRect(width / 2 + right[k] * unit - wide / 2, height / 2 - up[k] * unit - tall / 2, wide, tall);
    }
    if (hasRuler) ruler(pen, width, height, unit);
  }

  /** A round length of about a quarter of the width. */
  function ruler(pen, width, height, unit) {
    const room = (width / 4 / unit) * data.side, power = 10 ** Math.floor(Math.log10(room));
    const length = power * ([5, 2].find((step) => step * power <= room * 1.0001) ?? 1);
    const left = width * 0.04, bottom = height * 0.95;
    pen.fillStyle = "#fff";
    pen.fillRect(left, bottom, (length / data.side) * unit, 5);
    pen.font = "26px system-ui, sans-serif";
    pen.fillText(`${Number(length.toPrecision(3))} ${data.length}`, left, bottom - 12);
  }

  const main = canvas(960, 720);
  main.setAttribute("role", "img");
  main.style.touchAction = "pan-y";
  main.style.cursor = "grab";
  main.addEventListener("pointerdown", (event) => main.setPointerCapture(event.pointerId));
  main.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    const turn = (((state.turn - event.movementX / 2) % 360) + 360) % 360;
    state.set({ turn, tilt: Math.min(90, Math.max(-90, state.tilt + event.movementY / 2)) });
  });
  state.listen(() => {
    draw(main, state.scale, state.signed, 1, true);
    main.setAttribute("aria-label", `the cloud from ${Math.round(state.turn)}° and ${Math.round(state.tilt)}° above, with the map of ${scaleText(maps.scales[state.scale])}`);
  });
  const buttons = Object.entries(SIDES).map(([name, [turn, tilt]]) =>
    make("button", { class: "plain", type: "button", onclick: () => state.set({ turn, tilt, zoom: 0 }) }, name === "above" ? "From above" : `From the ${name}`));
  const degrees = (v) => `${Math.round(v)}°`;
  const turning = make("div", { class: "controls" },
    slider(state, "turn", "Turn", { max: 360, say: degrees }),
    slider(state, "tilt", "Tilt", { min: -90, max: 90, say: degrees }),
    slider(state, "zoom", "Zoom", { min: -4, max: 20, say: (v) => `× ${short(2 ** (v / 4))}` }),
    slider(state, "size", "Point size", { min: 1, max: 12, say: String }));
  const viewer = card("Where it lies", make("div", { class: "stage" }, main), make("div", { class: "sides" }, ...buttons), turning, controls(state, maps));
  if (maps.packed.signed.length) viewer.append(toggle(state, "signed", "For and against: orange supports the class, blue dashes oppose it"));
  viewer.append(legend(state, data.end, data.unit));
  const some = count < data.total ? ` Each of the ${count} points here is the mean of some of ${data.total} that lie together.` : "";
  viewer.append(hint(`Drag to turn the cloud. The third coordinate points upwards.${some}`));
  place.append(viewer);
  if (maps.scales.length < 2) return;
  const every = Math.max(1, Math.ceil(count / TILE_POINTS));
  const strip = scaleTiles(state, maps, (target, scale, signed) => draw(target, scale, signed, every), 150, 150, data.evidence);
  more.append(card("Each scale by itself", strip, hint("Seen from the same side. One colour scale for all: what is brighter matters more.")));
}

VIEWS.cloud = showCloud;

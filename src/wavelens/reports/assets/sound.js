// Sounds, and any signal with one axis: panes that share their time, and players that share a line through them.

const WAVE = 84, ROW = 26, LEAST_HEIGHT = 150, FINE = 240, MOST_HEIGHT = 420; // pixels of height

function showSound(data, state, place, more) {
  const maps = new Rows(data.maps, data.end), scales = maps.middles(), fine = maps.shape[0] > scales.length;
  const chosen = () => (maps.scales.length > 1 && state.scale ? maps.scales[state.scale].name : "");
  const height = Math.min(MOST_HEIGHT, Math.max(fine ? FINE : LEAST_HEIGHT, ROW * scales.length)), axis = { length: data.samples * data.step, unit: data.axis };
  const panes = [new Pane("the waveform", WAVE, (pen, area) => drawWave(pen, area, data.wave, area.ink))];
  if (data.spectrum) panes.push(overSpectrum(data, state, maps, scales, chosen, height));
  panes.push(new Pane("the attribution over time and scales", height, (pen, area) => {
    const { left, width } = area;
    pen.fillStyle = "#000";
    pen.fillRect(left, 0, width, height);
    pen.imageSmoothingEnabled = false;
    const pictures = maps.picture(state);
    pen.drawImage(pictures[0], left, 0, width, height);
    if (pictures[1]) pen.drawImage(hatched(pictures[1], Math.round(width), height), left, 0);
    nameRows(pen, area, scales, chosen());
  }, axis));
  const line = make("div", { class: "playhead", hidden: true });
  const names = ["Waveform", ...(data.spectrum ? ["Attribution over the spectrogram"] : []), "Attribution alone"];
  const stack = make("div", { class: "panes" }, ...panes.flatMap((pane, k) => [make("h4", {}, names[k]), pane.element]), line);
  const viewer = card("When and at what pitch", stack, controls(state, maps));
  if (!data.spectrum) viewer.querySelector("h3").textContent = "When and at what scale";
  if (maps.packed.signed.length) viewer.append(toggle(state, "signed", "For and against: orange supports the class, striped blue opposes it"));
  viewer.append(legend(state, data.end, data.unit));
  place.append(viewer);
  state.listen(() => panes.slice(1).forEach((pane) => pane.redraw()));
  if (!data.sounds.length) return;

  const list = players(data, state, maps, (part) => {
    const left = gutter(panes[0].element.clientWidth);
    line.hidden = part === null;
    line.style.left = `calc(${left}px + ${part ?? 0} * (100% - ${left}px))`;
  });
  stack.addEventListener("click", (event) => {
    const left = gutter(stack.clientWidth), x = event.clientX - stack.getBoundingClientRect().left;
    if (x > left) list.seek((x - left) / (stack.clientWidth - left));
  });
  more.append(list.element);
}

function overSpectrum(data, state, maps, scales, chosen, height) {
  const base = overScales(data.spectrum, data.maps.axis), grey = darkened(base);
  const [first, last] = data.spectrum.ends, seconds = data.samples * data.step;
  return new Pane("the spectrogram with the attribution over it", height, (pen, area) => {
    const { left, width } = area, shown = canvas(Math.round(width), height);
    const behind = [base, grey].map((source) => {
      const placed = canvas(shown.width, height), ink = placed.getContext("2d");
      ink.fillRect(0, 0, shown.width, height);
      ink.drawImage(source, (first / seconds) * shown.width, 0, ((last - first) / seconds) * shown.width, height);
      return placed;
    });
    shown.getContext("2d").imageSmoothingEnabled = false;
    paint(shown, behind[0], behind[1], maps.picture(state), state.opacity / 100);
    pen.drawImage(shown, left, 0, width, height);
    nameRows(pen, area, scales, chosen());
  });
}

VIEWS.sound = showSound;

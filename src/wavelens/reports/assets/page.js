// Which entry is shown, and what its numbers and its pictures tell one another.

const shown = new Set();

/** Builds the views of an entry when it is first shown. */
async function build(article) {
  const number = article.dataset.number;
  if (shown.has(number)) return;
  shown.add(number);
  const command = article.querySelector(".command");
  const copies = { class: "plain copy", type: "button", onclick: (event) => copy(event.target, command) };
  article.querySelector(".again").append(make("button", copies, "Copy"));
  const blocks = [...article.querySelectorAll(".block")];
  for (const [k, block] of blocks.entries()) await fill(block, read(k ? `data-${number}-${k}` : `data-${number}`));
  const sided = article.querySelector(".sided");
  if (sided && self.DecompressionStream) await showSides(sided, read(`data-${number}`));
  article.dataset.ready = "true";
}

/** Builds the views of one domain. */
async function fill(block, data) {
  const place = block.querySelector(".views"), more = block.querySelector(".more");
  if (!VIEWS[data.view]) return place.remove();
  if (!self.DecompressionStream) {
    return place.append(hint("The maps need a browser of 2023 or later; this one is older."));
  }
  const { magnitude = [], signed = [], scales = [] } = data.maps ?? {};
  await Promise.all([...magnitude, ...signed, ...(data.mosaic ? [data.mosaic] : [])].map(inflate));
  const state = openingState();
  block.classList.toggle("wide", data.wide);
  link(block, scales, state);
  await VIEWS[data.view](data, state, place, more);
}

/** Rows of the profile choose their scale, and show which one is chosen. */
function link(block, scales, state) {
  for (const row of block.querySelectorAll("[data-row]")) {
    const k = scales.findIndex(({ name }) => name === row.dataset.row);
    const choose = () => state.set({ scale: state.scale === k ? 0 : k });
    row.addEventListener("click", choose);
    state.listen(() => {
      const chosen = k > 0 && state.scale === k;
      row.classList.toggle("chosen", chosen);
      row.querySelector("button").setAttribute("aria-pressed", chosen);
    });
  }
}

async function copy(button, place) {
  try {
    await navigator.clipboard.writeText(place.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection()?.selectAllChildren(place); // without a clipboard: ready for Ctrl+C
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function show() {
  const articles = [...document.querySelectorAll("article")];
  const wanted = articles.find(({ id }) => `#${id}` === location.hash) ?? articles[0];
  for (const article of articles) article.hidden = article !== wanted;
  /** @type {NodeListOf<HTMLElement>} */
  const anchors = document.querySelectorAll(".index a");
  for (const anchor of anchors) {
    const current = anchor.dataset.number === wanted.dataset.number;
    if (current) anchor.setAttribute("aria-current", "true");
    else anchor.removeAttribute("aria-current");
    if (current && location.hash) anchor.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  build(wanted);
}

addEventListener("hashchange", show);
show();

/** The faces of a clip, shot by shot, to choose among by mouse or keys. Knows nothing of ComfyUI. */

export const STRINGS = {
  en: {
    empty: "Run the workflow to see the faces here, and click on those that are meant.",
    none: "No face was found.",
    linked: "The choice comes by a link to faces; disconnect it to choose here.",
    count: (chosen, all) => `${chosen} of ${all} faces chosen`,
    all: "All",
    allTitle: "Choose all faces",
    shot: (number, start, stop) => `Shot ${number}: frames ${start} to ${stop - 1}`,
    face: (face) => `Face ${face.number}${face.name ? `, ${face.name}` : ""}`,
    where: (face) => `${span(face, " to ")}, ${face.side} px`,
    small: "Smaller than min_face: it is left out.",
    last: "One face has to stay chosen.",
  },
  zh: {
    empty: "运行工作流后，可在此查看人脸，并点击要选的人脸。",
    none: "没有找到人脸。",
    linked: "选择来自 faces 的连线；断开后可在此选择。",
    count: (chosen, all) => `已选 ${chosen} / ${all} 张人脸`,
    all: "全选",
    allTitle: "选择所有人脸",
    shot: (number, start, stop) => `镜头 ${number}：第 ${start} 至 ${stop - 1} 帧`,
    face: (face) => `人脸 ${face.number}${face.name ? `，${face.name}` : ""}`,
    where: (face) => `${span(face, " 至 ")}，${face.side} 像素`,
    small: "小于 min_face，不计入。",
    last: "至少要选一张人脸。",
  },
};

const STYLE = `
.vfe-picker { display: flex; flex-direction: column; width: 100%; height: 100%; min-height: 0; box-sizing: border-box;
  background: #161616; color: #ddd; border-radius: 4px; overflow: hidden; font: 12px sans-serif; user-select: none; }
.vfe-picker-bar { display: flex; align-items: center; justify-content: space-between; gap: 6px; padding: 3px 6px;
  background: #222; }
.vfe-picker-bar button { padding: 2px 8px; border: 1px solid #555; border-radius: 3px; color: inherit;
  background: none; font: inherit; cursor: pointer; }
.vfe-picker-bar button:hover { background: #444; }
.vfe-picker-shots { flex: 1; min-height: 0; overflow-y: auto; padding: 6px; }
.vfe-picker-shots h4 { margin: 2px 0 4px; font: inherit; color: #aaa; }
.vfe-picker-faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); gap: 6px;
  margin-bottom: 6px; }
.vfe-picker-face { position: relative; display: flex; flex-direction: column; min-width: 0; padding: 0;
  border: 2px solid #444; border-radius: 4px; color: #999; background: #222; font: 11px sans-serif; text-align: left;
  overflow: hidden; cursor: pointer; }
.vfe-picker-face img { width: 100%; aspect-ratio: 1; object-fit: cover; filter: grayscale(1) brightness(0.6);
  pointer-events: none; }
.vfe-picker-face b { position: absolute; top: 0; left: 0; min-width: 12px; padding: 1px 4px; text-align: center;
  color: #fff; background: #555; border-bottom-right-radius: 4px; }
.vfe-picker-face span { padding: 1px 4px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.vfe-picker-face .name { color: inherit; font-weight: bold; }
.vfe-picker-face[aria-checked="true"] { border-color: var(--colour); color: #fff; }
.vfe-picker-face[aria-checked="true"] img { filter: none; }
.vfe-picker-face[aria-checked="true"] b { background: var(--colour); }
.vfe-picker-face[aria-disabled="true"] { opacity: 0.5; cursor: not-allowed; }
.vfe-picker-face:focus-visible { outline: 2px solid #fff; outline-offset: 1px; }
.vfe-picker-message { flex: 1; display: grid; place-items: center; padding: 12px; text-align: center; }
.vfe-picker.empty .vfe-picker-bar, .vfe-picker.empty .vfe-picker-shots,
.vfe-picker:not(.empty) .vfe-picker-message { display: none; }
`;

/** @typedef {{number: number, name: string, start: number, stop: number, side: number, fits: boolean,
 *   chosen: boolean, colour: string, url: string}} Face */
/** @typedef {{start: number, stop: number, faces: Face[]}} Shot */

export class FacePicker {
  /** @param {string} locale "zh" gives Chinese, anything else English.
   *  @param {(text: string) => void} onChoice gets the choice as the input `faces` takes it, such as "2,5". */
  constructor(locale = "en", onChoice = () => {}) {
    this.text = STRINGS[locale.split("-")[0]] ?? STRINGS.en;
    this.onChoice = onChoice;
    this.shots = [];
    this.chosen = new Set();
    this.isLinked = false;
    this.#build();
    this.#say(this.text.empty);
  }

  /** Show what a run found. @param {Shot[]} shots */
  show(shots) {
    this.shots = shots;
    this.chosen = new Set(this.faces.filter((face) => face.chosen).map((face) => face.number));
    if (!this.faces.length) return this.#say(this.text.none);
    this.element.classList.remove("empty");
    this.#draw();
  }

  get faces() {
    return this.shots.flatMap((shot) => shot.faces);
  }

  /** Those that can be chosen. */
  get fitting() {
    return this.faces.filter((face) => face.fits);
  }

  /** Mark what a text for `faces` means; of a rule whose result is not known, what the last run chose. */
  mark(text) {
    const words = text.trim().toLowerCase();
    const numbers = /^\d+(\s*[,; ]\s*\d+)*$/.test(words) ? words.match(/\d+/g).map(Number) : null;
    const means = (face) => (words === "all" ? face.fits : numbers ? numbers.includes(face.number) : face.chosen);
    this.chosen = new Set(this.faces.filter(means).map((face) => face.number));
    this.#refresh();
  }

  /** Choose a face, or no longer. */
  toggle(number) {
    const face = this.faces.find((each) => each.number === number);
    if (this.isLinked || !face?.fits) return;
    const chosen = new Set([...this.chosen].filter((each) => this.fitting.some((fit) => fit.number === each)));
    chosen.has(number) ? chosen.delete(number) : chosen.add(number);
    if (!chosen.size) return this.#hint(this.text.last); // the input has no word for none
    this.#choose(chosen);
  }

  chooseAll() {
    if (!this.isLinked && this.fitting.length) this.#choose(new Set(this.fitting.map((face) => face.number)));
  }

  /** Whether the choice comes from another node: then it is shown and cannot be changed here. */
  setLinked(isLinked) {
    this.isLinked = isLinked;
    this.#refresh();
  }

  #choose(chosen) {
    this.chosen = chosen;
    this.#refresh();
    const isAll = this.fitting.every((face) => chosen.has(face.number));
    this.onChoice(isAll ? "all" : [...chosen].sort((a, b) => a - b).join(","));
  }

  #say(message) {
    this.element.classList.add("empty");
    this.message.textContent = message;
  }

  #hint(message) {
    this.count.textContent = message;
  }

  #build() {
    if (!document.getElementById("vfe-picker-style")) {
      make("style", document.head, { id: "vfe-picker-style", textContent: STYLE });
    }
    this.element = make("div", null, { className: "vfe-picker empty" });
    const bar = make("div", this.element, { className: "vfe-picker-bar" });
    this.count = make("span", bar, {});
    this.count.setAttribute("role", "status");
    this.all = make("button", bar, { type: "button", textContent: this.text.all, title: this.text.allTitle });
    this.all.addEventListener("click", () => this.chooseAll());
    this.list = make("div", this.element, { className: "vfe-picker-shots" });
    this.message = make("div", this.element, { className: "vfe-picker-message" });
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    for (const kind of ["pointerdown", "mousedown", "dblclick"]) {
      this.element.addEventListener(kind, (event) => event.stopPropagation()); // the node is not dragged
    }
  }

  #draw() {
    this.tiles = new Map();
    this.list.replaceChildren();
    this.shots.forEach((shot, index) => {
      if (this.shots.length > 1) {
        make("h4", this.list, { textContent: this.text.shot(index + 1, shot.start, shot.stop) });
      }
      const grid = make("div", this.list, { className: "vfe-picker-faces" });
      for (const face of shot.faces) this.tiles.set(face.number, this.#tile(grid, face));
    });
    const [first] = this.tiles.values();
    first.tabIndex = 0; // the others are reached by arrows
    this.#refresh();
  }

  #tile(grid, face) {
    const where = this.text.where(face);
    const title = [this.text.face(face), where, face.fits ? "" : this.text.small].filter(Boolean).join("\n");
    const tile = make("button", grid, { type: "button", className: "vfe-picker-face", title, tabIndex: -1 });
    tile.style.setProperty("--colour", face.colour);
    tile.setAttribute("role", "checkbox");
    tile.setAttribute("aria-label", this.text.face(face));
    tile.setAttribute("aria-disabled", String(!face.fits));
    make("img", tile, { src: face.url, alt: "", draggable: false });
    make("b", tile, { textContent: face.number });
    if (face.name) make("span", tile, { className: "name", textContent: face.name });
    make("span", tile, { textContent: where });
    tile.addEventListener("click", () => {
      this.#focus(tile);
      this.toggle(face.number);
    });
    return tile;
  }

  #refresh() {
    if (!this.tiles) return;
    for (const [number, tile] of this.tiles) tile.setAttribute("aria-checked", String(this.chosen.has(number)));
    const counted = this.text.count(this.chosen.size, this.faces.length);
    this.count.textContent = this.isLinked ? this.text.linked : counted;
    this.all.disabled = this.isLinked;
  }

  #focus(tile) {
    for (const each of this.tiles.values()) each.tabIndex = each === tile ? 0 : -1;
    tile.focus({ preventScroll: true });
    tile.scrollIntoView?.({ block: "nearest", inline: "nearest" });
  }

  #onKey(event) {
    const tiles = this.tiles ? [...this.tiles.values()] : [];
    const at = tiles.indexOf(event.target);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tiles.length - 1 }[event.key];
    const rows = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === " " || event.key === "Enter") tiles[at].click();
    else if (rows) this.#focus(beside(tiles, at, rows));
    else if (to !== undefined) this.#focus(tiles[Math.min(tiles.length - 1, Math.max(0, to))]);
    else return;
    event.preventDefault(); // a space would click once more
    event.stopPropagation(); // the page around has keys of its own
  }
}

/** The frames that a face is on. */
function span({ start, stop }, to) {
  return stop - start === 1 ? String(start) : `${start}${to}${stop - 1}`;
}

/** The nearest tile of the next row, down (1) or up (-1); itself where there is none. */
function beside(tiles, at, way) {
  const boxes = tiles.map((tile) => tile.getBoundingClientRect());
  const rows = boxes.map((box) => way * (box.top - boxes[at].top)).map((far) => (far > 1 ? far : Infinity));
  const nearest = Math.min(...rows);
  if (nearest === Infinity) return tiles[at];
  const inRow = tiles.filter((_, index) => rows[index] < nearest + 1);
  const aside = (tile) => Math.abs(tile.getBoundingClientRect().left - boxes[at].left);
  return inRow.reduce((best, tile) => (aside(tile) < aside(best) ? tile : best));
}

/** An element with these properties, as the last child of `parent`. */
function make(tag, parent, properties) {
  const element = Object.assign(document.createElement(tag), properties);
  parent?.append(element);
  return element;
}

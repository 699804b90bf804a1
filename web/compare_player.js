/** A player of two videos in step, one over the other, with a divider to drag. Knows nothing of ComfyUI. */

export const STRINGS = {
  en: {
    before: "before",
    after: "after",
    play: "Play or pause (space)",
    back: "One frame back (left arrow)",
    forward: "One frame forward (right arrow)",
    loop: "Play again and again (L)",
    sound: "Sound on or off (M)",
    fullscreen: "Fill the screen (F)",
    seek: "Frame",
    divider: "Divider between the two videos",
    empty: "Run the workflow to compare the two videos here.",
    gone: "The video is no longer there. Run the workflow again.",
  },
  zh: {
    before: "修复前",
    after: "修复后",
    play: "播放或暂停（空格）",
    back: "后退一帧（左箭头）",
    forward: "前进一帧（右箭头）",
    loop: "循环播放（L）",
    sound: "打开或关闭声音（M）",
    fullscreen: "全屏（F）",
    seek: "帧",
    divider: "两个视频之间的分隔线",
    empty: "运行工作流后，可在此对比两个视频。",
    gone: "视频已不存在，请重新运行工作流。",
  },
};

// 16 x 16 drawings; fonts lack some of these signs
const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  back: "M4 3h2v10H4zM13 3v10L6.5 8z",
  forward: "M10 3h2v10h-2zM3 3v10l6.5-5z",
  loop: "M8 3V1l4 3-4 3V5a3.5 3.5 0 1 0 3.5 3.5h2A5.5 5.5 0 1 1 8 3z",
  sound: "M2 6h3l4-3.5v11L5 10H2zM11 5.5a3.5 3.5 0 0 1 0 5zM11 2.5a6.5 6.5 0 0 1 0 11v-1.700a5 5 0 0 0 0-7.600z",
  fullscreen: "M2 2h5v2H4v3H2zM9 2h5v5h-2V4H9zM2 9h2v3h3v2H2zM12 9h2v5H9v-2h3z",
};

const STYLE = `
.vfe-compare { display: flex; flex-direction: column; width: 100%; height: 100%; min-height: 0; outline: none;
  background: #111; color: #ddd; border-radius: 4px; overflow: hidden; font: 12px sans-serif; user-select: none; }
.vfe-compare:focus-visible { box-shadow: inset 0 0 0 1px #6af; }
.vfe-compare-stage { position: relative; flex: 1; min-height: 0; container-type: size; display: grid;
  place-items: center; }
.vfe-compare-frame { position: relative; width: min(100cqw, 100cqh * var(--ratio, 1.778));
  aspect-ratio: var(--ratio, 1.778); overflow: hidden; cursor: ew-resize; touch-action: none; }
.vfe-compare-frame video { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: fill;
  pointer-events: none; }
.vfe-compare-before { clip-path: inset(0 calc(100% - var(--split, 50%)) 0 0); }
.vfe-compare-divider { position: absolute; top: 0; bottom: 0; left: var(--split, 50%); width: 2px; margin-left: -1px;
  background: #fff; box-shadow: 0 0 3px #000; pointer-events: none; }
.vfe-compare-divider::after { content: "◂ ▸"; position: absolute; top: 50%; left: 50%; color: #222; background: #fff;
  border-radius: 10px; padding: 2px 5px; transform: translate(-50%, -50%); white-space: nowrap; font-size: 10px; }
.vfe-compare-label { position: absolute; top: 6px; padding: 1px 6px; border-radius: 3px; background: #000a;
  pointer-events: none; }
.vfe-compare-label.left { left: 6px; }
.vfe-compare-label.right { right: 6px; }
.vfe-compare-message { position: absolute; inset: 0; display: grid; place-items: center; text-align: center;
  padding: 12px; background: #111; }
.vfe-compare-bar { display: flex; align-items: center; gap: 4px; padding: 3px 6px; background: #222; }
.vfe-compare-bar button { display: grid; place-items: center; width: 24px; height: 22px; padding: 0; border: 0;
  border-radius: 3px; color: inherit; background: none; cursor: pointer; }
.vfe-compare-bar svg { width: 14px; height: 14px; fill: currentColor; pointer-events: none; }
.vfe-compare-bar button:hover { background: #444; }
.vfe-compare-bar button[aria-pressed="true"] { color: #6cf; }
.vfe-compare-bar input { flex: 1; min-width: 40px; accent-color: #6cf; }
.vfe-compare-time { min-width: 62px; text-align: right; font-variant-numeric: tabular-nums; }
.vfe-compare.empty .vfe-compare-bar, .vfe-compare.empty .vfe-compare-frame { visibility: hidden; }
.vfe-compare:not(.empty) .vfe-compare-message { display: none; }
`;

/** @typedef {{url: string, width: number, height: number, frames: number | null, rate: number}} Side */

export class ComparePlayer {
  /** @param {string} locale "zh" gives Chinese, anything else English. */
  constructor(locale = "en") {
    this.text = STRINGS[locale.split("-")[0]] ?? STRINGS.en;
    this.loop = true;
    this.rate = 25;
    this.frames = 1;
    this.wanted = false; // whether it is to play: the videos themselves pause at their ends and while they seek
    this.#build();
    this.#listen();
    this.#say(this.text.empty);
  }

  /** Load both sides; the first frame is shown, or they play. @param {Side} before @param {Side} after */
  show(before, after, { play = false } = {}) {
    this.pause();
    this.rate = after.rate || before.rate || 25;
    this.frames = Math.max(1, Math.min(before.frames ?? Infinity, after.frames ?? Infinity));
    this.element.style.setProperty("--ratio", String(after.width / after.height));
    this.element.classList.remove("empty");
    this.before.src = before.url;
    this.after.src = after.url;
    this.setFrame(0);
    if (play) this.play();
  }

  /** Stop and let go of the videos. */
  close() {
    this.pause();
    for (const video of this.videos) {
      video.removeAttribute("src");
      video.load();
    }
  }

  get playing() {
    return this.wanted;
  }

  /** The frame that is shown, from 0. */
  get frame() {
    return Math.min(this.last, Math.max(0, Math.floor(this.after.currentTime * this.rate)));
  }

  /** The last frame that both sides have. */
  get last() {
    if (Number.isFinite(this.frames)) return this.frames - 1;
    const seconds = Math.min(this.before.duration || Infinity, this.after.duration || Infinity);
    return Number.isFinite(seconds) ? Math.max(0, Math.round(seconds * this.rate) - 1) : 0;
  }

  async play() {
    if (this.frames === 1) return; // a still
    this.wanted = true;
    this.#refresh();
    if (this.frame >= this.last) this.#seek(0);
    try {
      await Promise.all(this.videos.map((video) => video.play()));
    } catch (error) {
      if (error.name !== "AbortError") this.wanted = false; // paused again, or another video was loaded, meanwhile
    }
    this.#refresh();
    this.#follow();
  }

  pause() {
    this.wanted = false;
    for (const video of this.videos) {
      video.pause();
      video.playbackRate = 1;
    }
    if (this.after.readyState) this.setFrame(this.frame);
    this.#refresh();
  }

  toggle() {
    this.wanted ? this.pause() : this.play();
  }

  /** Stop at a frame, the same one on both sides. */
  setFrame(number) {
    if (this.wanted) this.pause();
    // The middle of a frame is not taken for its neighbour by rounding.
    this.#seek((Math.min(this.last, Math.max(0, number)) + 0.5) / this.rate);
  }

  /** Where the divider is, from 0 (all after) to 1 (all before). */
  get split() {
    return this.#split;
  }

  set split(value) {
    this.#split = Math.min(1, Math.max(0, value));
    this.element.style.setProperty("--split", `${100 * this.#split}%`);
    this.divider.setAttribute("aria-valuenow", String(Math.round(100 * this.#split)));
  }

  #split = 0.5;

  #seek(seconds) {
    for (const video of this.videos) video.currentTime = seconds;
    this.#refresh();
  }

  /** Keep the lower video at the time of the upper one, and start again at the end. */
  #follow() {
    cancelAnimationFrame(this.tick);
    if (!this.wanted) return;
    const drift = this.before.currentTime - this.after.currentTime;
    const ended = this.videos.some((video) => video.ended) || this.after.currentTime * this.rate >= this.last + 0.9;
    if (ended && !this.loop) return this.pause();
    if (ended && !this.videos.some((video) => video.seeking)) {
      this.#seek(0);
      for (const video of this.videos) video.play().catch(() => {});
    } else if (Math.abs(drift) > 0.3 && !this.before.seeking) {
      this.before.currentTime = this.after.currentTime;
    } else {
      // Small differences are run after, not jumped over: a jump stops the picture.
      this.before.playbackRate = Math.abs(drift) * this.rate < 0.2 ? 1 : Math.min(1.5, Math.max(0.5, 1 - 4 * drift));
    }
    this.#refresh();
    this.tick = requestAnimationFrame(() => this.#follow());
  }

  #refresh() {
    const { play, loop, sound } = this.buttons;
    play.firstChild.firstChild.setAttribute("d", this.wanted ? ICONS.pause : ICONS.play);
    loop.setAttribute("aria-pressed", String(this.loop));
    sound.setAttribute("aria-pressed", String(!this.sounding.muted));
    this.slider.max = String(this.last);
    this.slider.value = String(this.frame);
    this.time.textContent = `${this.frame + 1} / ${this.last + 1}`;
  }

  /** The side whose sound is heard: the restored one, or the original where only that has any. */
  get sounding() {
    return this.#silent(this.after) && !this.#silent(this.before) ? this.before : this.after;
  }

  #silent(video) {
    const decoded = video.webkitAudioDecodedByteCount ?? (video.mozHasAudio === false ? 0 : 1);
    return video.currentTime > 0 && decoded === 0;
  }

  #say(message) {
    this.pause();
    this.element.classList.add("empty");
    this.message.textContent = message;
  }

  #build() {
    if (!document.getElementById("vfe-compare-style")) {
      const style = make("style", document.head, { id: "vfe-compare-style" });
      style.textContent = STYLE;
    }
    const text = this.text;
    this.element = make("div", null, { className: "vfe-compare empty", tabIndex: 0 });
    const stage = make("div", this.element, { className: "vfe-compare-stage" });
    this.picture = make("div", stage, { className: "vfe-compare-frame" });
    const film = { muted: true, playsInline: true, preload: "auto", disablePictureInPicture: true };
    this.after = make("video", this.picture, { className: "vfe-compare-after", ...film });
    this.before = make("video", this.picture, { className: "vfe-compare-before", ...film });
    this.videos = [this.after, this.before];
    this.divider = make("div", this.picture, { className: "vfe-compare-divider", role: "slider" });
    this.divider.setAttribute("aria-label", text.divider);
    make("span", this.picture, { className: "vfe-compare-label left", textContent: text.before });
    make("span", this.picture, { className: "vfe-compare-label right", textContent: text.after });
    this.message = make("div", stage, { className: "vfe-compare-message" });
    const bar = make("div", this.element, { className: "vfe-compare-bar" });
    const button = (name) => drawn(make("button", bar, { type: "button", title: text[name] }), ICONS[name]);
    this.buttons = { play: button("play"), back: button("back"), forward: button("forward") };
    this.slider = make("input", bar, { type: "range", min: "0", max: "0", step: "1", value: "0", title: text.seek });
    this.time = make("span", bar, { className: "vfe-compare-time" });
    for (const name of ["loop", "sound", "fullscreen"]) this.buttons[name] = button(name);
    for (const control of [...Object.values(this.buttons), this.slider]) control.tabIndex = -1;
  }

  #listen() {
    const act = this.#actions();
    for (const [name, control] of Object.entries(this.buttons)) control.addEventListener("click", act[name]);
    this.slider.addEventListener("input", () => this.setFrame(Number(this.slider.value)));
    for (const video of this.videos) {
      video.addEventListener("error", () => video.getAttribute("src") && this.#say(this.text.gone));
      for (const event of ["seeked", "loadedmetadata"]) video.addEventListener(event, () => this.#refresh());
    }
    const keys = { " ": "play", ArrowLeft: "back", ArrowRight: "forward", Home: "first", End: "last" };
    Object.assign(keys, { l: "loop", m: "sound", f: "fullscreen" });
    this.element.addEventListener("keydown", (event) => {
      const action = act[keys[event.key] ?? keys[event.key.toLowerCase()]];
      if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
      action();
      event.preventDefault();
      event.stopPropagation(); // the page around has keys of its own
    });
    this.#drag();
  }

  #actions() {
    return {
      play: () => this.toggle(),
      back: () => this.setFrame(this.frame - 1),
      forward: () => this.setFrame(this.frame + 1),
      first: () => this.setFrame(0),
      last: () => this.setFrame(this.last),
      loop: () => {
        this.loop = !this.loop;
        this.#refresh();
      },
      sound: () => {
        const sounding = this.sounding;
        for (const video of this.videos) video.muted = video !== sounding || !video.muted;
        this.#refresh();
      },
      fullscreen: () => (document.fullscreenElement ? document.exitFullscreen() : this.element.requestFullscreen()),
    };
  }

  /** A drag anywhere on the picture moves the divider; a click plays or pauses. */
  #drag() {
    let from = null;
    this.picture.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      from = event.clientX;
      this.picture.setPointerCapture(event.pointerId);
      this.element.focus({ preventScroll: true });
      event.stopPropagation();
    });
    this.picture.addEventListener("pointermove", (event) => {
      if (from === null || (Math.abs(event.clientX - from) < 3 && !this.dragging)) return;
      this.dragging = true;
      const box = this.picture.getBoundingClientRect(); // scaled by the canvas around, as the pointer is
      this.split = (event.clientX - box.left) / box.width;
      event.stopPropagation();
    });
    const end = (event) => {
      if (from !== null && !this.dragging && event.type === "pointerup") this.toggle();
      from = null;
      this.dragging = false;
    };
    for (const event of ["pointerup", "pointercancel"]) this.picture.addEventListener(event, end);
  }
}

/** An element with these properties, as the last child of `parent`. */
function make(tag, parent, properties) {
  const element = Object.assign(document.createElement(tag), properties);
  parent?.append(element);
  return element;
}

/** The element, with an icon in it. */
function drawn(element, path) {
  const [svg, line] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 16 16");
  line.setAttribute("d", path);
  svg.append(line);
  element.append(svg);
  return element;
}

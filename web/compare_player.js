/** A player of two videos in step, one over the other, with a divider to drag. Knows nothing of ComfyUI. */

import { ICONS, STRINGS, STYLE } from "./compare_look.js";
import { Zoom } from "./compare_zoom.js";

export { STRINGS };

const GRIP = 12; // pixels on both sides of the divider that move it while the picture is enlarged
const MOVE = 0.1; // widths of the frame that a key moves the picture

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
    const side = (place) => make("div", this.picture, { className: `vfe-compare-side ${place}` });
    this.after = make("video", side("right"), { className: "vfe-compare-after", ...film });
    this.before = make("video", side("left"), { className: "vfe-compare-before", ...film });
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
    this.buttons.whole = make("button", bar, { type: "button", title: text.whole, hidden: true });
    this.buttons.whole.className = "vfe-compare-zoom";
    for (const name of ["loop", "sound", "fullscreen"]) this.buttons[name] = button(name);
    this.zoom = new Zoom(this.picture, ({ isNear, factor }) => {
      this.picture.classList.toggle("near", isNear);
      this.buttons.whole.hidden = !isNear;
      this.buttons.whole.textContent = `${Math.round(100 * factor)} %`;
    });
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
    Object.assign(keys, { l: "loop", m: "sound", f: "fullscreen", "+": "nearer", "=": "nearer", "-": "farther" });
    Object.assign(keys, { 0: "whole" });
    const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    this.element.addEventListener("keydown", (event) => {
      const move = event.shiftKey && moves[event.key]?.map((part) => part * MOVE);
      const action = move ? () => this.zoom.move(...move) : act[keys[event.key] ?? keys[event.key.toLowerCase()]];
      if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
      action();
      event.preventDefault();
      event.stopPropagation(); // the page around has keys of its own
    });
    this.picture.addEventListener("wheel", (event) => {
      this.zoom.wheel(event);
      event.preventDefault();
      event.stopPropagation(); // the canvas around has a zoom of its own
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
      nearer: () => this.zoom.nearer(),
      farther: () => this.zoom.farther(),
      whole: () => this.zoom.whole(),
      fullscreen: () => (document.fullscreenElement ? document.exitFullscreen() : this.element.requestFullscreen()),
    };
  }

  /** A drag anywhere on the picture moves the divider, or what is seen where not all is, but for the divider's own
   * place; a click plays or pauses. */
  #drag() {
    let last = null; // where the pointer was
    let moves = null; // whether it moves the picture
    this.picture.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const box = this.picture.getBoundingClientRect(); // scaled by the canvas around, as the pointer is
      const reach = (GRIP * box.width) / this.picture.offsetWidth;
      moves = this.zoom.isNear && Math.abs(event.clientX - box.left - this.split * box.width) > reach;
      last = { x: event.clientX, y: event.clientY };
      this.picture.setPointerCapture(event.pointerId);
      this.element.focus({ preventScroll: true });
      event.stopPropagation();
    });
    this.picture.addEventListener("pointermove", (event) => {
      if (last === null) return;
      const [x, y] = [event.clientX - last.x, event.clientY - last.y];
      if (!this.dragging && Math.hypot(x, moves ? y : 0) < 3) return;
      this.dragging = true;
      const box = this.picture.getBoundingClientRect();
      if (moves) this.zoom.move(x / box.width, y / box.height);
      else this.split = (event.clientX - box.left) / box.width;
      last = { x: event.clientX, y: event.clientY };
      event.stopPropagation();
    });
    const end = (event) => {
      if (last !== null && !this.dragging && event.type === "pointerup") this.toggle();
      last = null;
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

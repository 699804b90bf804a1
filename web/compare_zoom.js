/** What part of a picture is seen: nearer with the wheel at the place under the pointer, moved by dragging. */

const MOST = 16;
const STEP = 1.25; // one click of a wheel, or one key
const WHEEL = 100; // what browsers say of one click

export class Zoom {
  /** @param {HTMLElement} picture shows it: gets the style properties --zoom, --left and --top
   *  @param {(zoom: Zoom) => void} changed called after each change */
  constructor(picture, changed) {
    this.picture = picture;
    this.changed = changed;
    this.factor = 1;
    this.left = 0; // of the enlarged picture, in widths of the frame around; from 1 - factor to 0
    this.top = 0;
  }

  get isNear() {
    return this.factor > 1;
  }

  /** Multiply the size, so that the place (x, y) of the frame, each from 0 to 1, stays where it is. */
  by(times, x = 0.5, y = 0.5) {
    const factor = Math.min(MOST, Math.max(1, this.factor * times));
    const grown = factor / this.factor;
    this.#set(factor, x - (x - this.left) * grown, y - (y - this.top) * grown);
  }

  nearer() {
    this.by(STEP);
  }

  farther() {
    this.by(1 / STEP);
  }

  whole() {
    this.#set(1, 0, 0);
  }

  /** Move the picture, in widths and heights of the frame. */
  move(x, y) {
    this.#set(this.factor, this.left + x, this.top + y);
  }

  /** As the wheel turns over the picture. */
  wheel(event) {
    const box = this.picture.getBoundingClientRect(); // scaled by the canvas around, as the pointer is
    const clicks = (event.deltaY * (event.deltaMode === 1 ? 33 : 1)) / WHEEL; // Firefox counts lines
    this.by(STEP ** -clicks, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }

  #set(factor, left, top) {
    const inside = (value) => Math.min(0, Math.max(1 - factor, value)); // no edge comes into the frame
    Object.assign(this, { factor, left: inside(left), top: inside(top) });
    this.picture.style.setProperty("--zoom", String(this.factor));
    this.picture.style.setProperty("--left", `${100 * this.left}%`);
    this.picture.style.setProperty("--top", `${100 * this.top}%`);
    this.changed(this);
  }
}

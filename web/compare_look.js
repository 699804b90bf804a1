/** The words, drawings and style of the compare player. */

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
    whole: "Show the whole picture (0)",
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
    whole: "显示完整画面（0）",
    empty: "运行工作流后，可在此对比两个视频。",
    gone: "视频已不存在，请重新运行工作流。",
  },
};

// 16 x 16 drawings; fonts lack some of these signs
export const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  back: "M4 3h2v10H4zM13 3v10L6.5 8z",
  forward: "M10 3h2v10h-2zM3 3v10l6.5-5z",
  loop: "M8 3V1l4 3-4 3V5a3.5 3.5 0 1 0 3.5 3.5h2A5.5 5.5 0 1 1 8 3z",
  sound: "M2 6h3l4-3.5v11L5 10H2zM11 5.5a3.5 3.5 0 0 1 0 5zM11 2.5a6.5 6.5 0 0 1 0 11v-1.700a5 5 0 0 0 0-7.600z",
  fullscreen: "M2 2h5v2H4v3H2zM9 2h5v5h-2V4H9zM2 9h2v3h3v2H2zM12 9h2v5H9v-2h3z",
};

export const STYLE = `
.vfe-compare { display: flex; flex-direction: column; width: 100%; height: 100%; min-height: 0; outline: none;
  background: #111; color: #ddd; border-radius: 4px; overflow: hidden; font: 12px sans-serif; user-select: none; }
.vfe-compare:focus-visible { box-shadow: inset 0 0 0 1px #6af; }
.vfe-compare-stage { position: relative; flex: 1; min-height: 0; container-type: size; display: grid;
  place-items: center; }
.vfe-compare-frame { position: relative; width: min(100cqw, 100cqh * var(--ratio, 1.778));
  aspect-ratio: var(--ratio, 1.778); overflow: hidden; cursor: ew-resize; touch-action: none; }
.vfe-compare-frame.near { cursor: grab; }
.vfe-compare-side { position: absolute; inset: 0; overflow: hidden; pointer-events: none; }
.vfe-compare-side video { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: fill;
  transform-origin: 0 0; transform: translate(var(--left, 0), var(--top, 0)) scale(var(--zoom, 1)); }
.vfe-compare-side.left { clip-path: inset(0 calc(100% - var(--split, 50%)) 0 0); }
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
.vfe-compare-bar .vfe-compare-zoom { width: auto; padding: 0 4px; color: #6cf; }
.vfe-compare-zoom[hidden] { display: none; }
.vfe-compare-time { min-width: 62px; text-align: right; font-variant-numeric: tabular-nums; }
.vfe-compare.empty .vfe-compare-bar, .vfe-compare.empty .vfe-compare-frame { visibility: hidden; }
.vfe-compare:not(.empty) .vfe-compare-message { display: none; }
`;

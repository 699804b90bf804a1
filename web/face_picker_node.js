/** Gives the node "Face Mask" its picker of faces, whose choice goes into the input `faces`. */

import { app } from "../../scripts/app.js";
import { FacePicker } from "./face_picker.js";
import { chain, lastOutputs, urlOf } from "./last_run.js";

const NODE = "VFE_FaceMask";
const FACES = "faces";
const MIN_HEIGHT = 172; // a row of faces

/** @type {Map<object, FacePicker>} nodes on the page */
const pickers = new Map();

app.registerExtension({
  name: "VFE.FacePicker",

  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    const locale = app.ui.settings.getSettingValue("Comfy.Locale") ?? "en";
    const picker = new FacePicker(locale, (text) => choose(node, text));
    pickers.set(node, picker);
    addWidget(node, picker);
    follow(node, picker);
    chain(node, "onExecuted", (output) => show(node, picker, output));
    chain(node, "onRemoved", () => pickers.delete(node));
    node.setSize([Math.max(node.size[0], 340), Math.max(node.size[1], node.computeSize()[1])]);
  },

  async afterConfigureGraph() {
    const waiting = [...pickers.keys()].filter((node) => !pickers.get(node).shots.length);
    for (const [node, output] of await lastOutputs(waiting, NODE)) {
      const picker = pickers.get(node);
      if (picker && !picker.shots.length) show(node, picker, output);
    }
  },
});

function addWidget(node, picker) {
  const widget = node.addDOMWidget("picker", NODE, picker.element, {
    serialize: false, // not an input of the node
    hideOnZoom: false,
    getMinHeight: () => MIN_HEIGHT,
  });
  widget.serialize = false; // nothing of it is saved in the workflow
  picker.element.dataset.captureWheel = "true"; // newer ComfyUI leaves the wheel to what has the focus
  picker.element.addEventListener(
    "wheel",
    (event) => {
      const { list } = picker;
      if (list.scrollHeight > list.clientHeight && list.contains(event.target)) event.stopPropagation(); // it scrolls
      else app.canvas.processMouseWheel?.(event);
    },
    { passive: true },
  );
}

/** What is typed into the input is marked, and a link to it is noticed. */
function follow(node, picker) {
  const widget = choice(node);
  const sync = () => {
    picker.setLinked(node.inputs?.find((input) => input.name === FACES)?.link != null);
    if (!picker.isLinked) picker.mark(String(widget.value));
  };
  chain(widget, "callback", sync);
  chain(node, "onConnectionsChange", sync);
  picker.element.addEventListener("pointerenter", sync);
  picker.element.addEventListener("focusin", sync);
}

function choice(node) {
  return node.widgets.find((widget) => widget.name === FACES);
}

/** Write a choice where a user would type it. */
function choose(node, text) {
  const widget = choice(node);
  widget.value = text;
  widget.callback?.(text, app.canvas, node);
  node.graph?.setDirtyCanvas?.(true, true);
  app.graph.change?.();
}

/** Show the faces that a run of the node found. */
function show(node, picker, output) {
  const found = output?.vfe_faces?.[0];
  if (!found) return;
  const withUrl = (face) => ({ ...face, url: urlOf(face.picture) });
  picker.show(found.shots.map((shot) => ({ ...shot, faces: shot.faces.map(withUrl) })));
}

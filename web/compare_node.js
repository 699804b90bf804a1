/** Gives the node "Compare Videos" its player, and the player what the node's last run made. */

import { app } from "../../scripts/app.js";
import { ComparePlayer } from "./compare_player.js";
import { chain, lastOutputs, urlOf } from "./last_run.js";

const NODE = "VFE_CompareVideos";
const MIN_HEIGHT = 220;

/** @type {Map<object, ComparePlayer>} nodes on the page */
const players = new Map();

app.registerExtension({
  name: "VFE.CompareVideos",

  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    const player = new ComparePlayer(app.ui.settings.getSettingValue("Comfy.Locale") ?? "en");
    players.set(node, player);
    addWidget(node, player);
    chain(node, "onExecuted", (output) => show(player, output, true));
    chain(node, "onRemoved", () => {
      player.close();
      players.delete(node);
    });
    node.setSize([Math.max(node.size[0], 440), Math.max(node.size[1], 420)]);
  },

  async afterConfigureGraph() {
    const waiting = [...players.keys()].filter((node) => !players.get(node).after.getAttribute("src"));
    for (const [node, output] of await lastOutputs(waiting, NODE)) {
      const player = players.get(node);
      if (player && !player.after.getAttribute("src")) show(player, output, false);
    }
  },
});

function addWidget(node, player) {
  const widget = node.addDOMWidget("player", NODE, player.element, {
    serialize: false, // not an input of the node
    hideOnZoom: false,
    getMinHeight: () => MIN_HEIGHT,
  });
  widget.serialize = false; // nothing of it is saved in the workflow
  player.element.dataset.captureWheel = "true"; // newer ComfyUI leaves the wheel to what has the focus
  player.element.addEventListener("wheel", (event) => app.canvas.processMouseWheel?.(event));
}

/** Play what a run of the node made. */
function show(player, output, play) {
  const pair = output?.vfe_compare?.[0];
  if (pair) player.show(side(pair.before), side(pair.after), { play });
}

function side(file) {
  return { ...file, url: urlOf(file) };
}

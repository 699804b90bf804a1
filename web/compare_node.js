/** Gives the node "Compare Videos" its player, and the player what the node's last run made. */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { ComparePlayer } from "./compare_player.js";

const NODE = "VFE_CompareVideos";
const HISTORY = 32; // runs to look through for the last one of this workflow
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

  /** After a reload of the page the server still knows what the last run of this workflow made. */
  async afterConfigureGraph() {
    const waiting = [...players].filter(([, player]) => !player.after.getAttribute("src"));
    if (!waiting.length) return;
    const runs = Object.values(await (await api.fetchApi(`/history?max_items=${HISTORY}`)).json()).reverse();
    for (const [node, player] of waiting) {
      const output = app.nodeOutputs?.[node.id] ?? lastOutput(runs, node);
      if (output && !player.after.getAttribute("src")) show(player, output, false);
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
  const { filename, subfolder, type } = file;
  return { ...file, url: api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`) };
}

/** The newest output of this node of this workflow among runs that the server remembers, newest first. */
function lastOutput(runs, node) {
  for (const run of runs) {
    const [, , graph, extra] = run.prompt ?? [];
    const workflow = extra?.extra_pnginfo?.workflow?.id;
    if (!workflow || workflow !== (app.rootGraph ?? app.graph).id) continue;
    const key = Object.keys(run.outputs).find(
      (id) => id.split(":").pop() === String(node.id) && graph[id]?.class_type === NODE, // "3:7" is in a subgraph
    );
    if (key) return run.outputs[key];
  }
  return null;
}

/** Call `extra` after the node's own callback. */
function chain(node, name, extra) {
  const own = node[name];
  node[name] = function (...values) {
    own?.apply(this, values);
    extra(...values);
  };
}

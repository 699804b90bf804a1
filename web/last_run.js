/** What nodes of this pack need of the page: their callbacks, and what their last run made. */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const HISTORY = 32; // runs to look through for the last one of this workflow

/** Call `extra` after the node's own callback. */
export function chain(node, name, extra) {
  const own = node[name];
  node[name] = function (...values) {
    own?.apply(this, values);
    extra(...values);
  };
}

/** The address of a file of a run. */
export function urlOf({ filename, subfolder, type }) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}

/** After a reload of the page the server still knows the last run: the outputs of `nodes`, of a class, by node. */
export async function lastOutputs(nodes, kind) {
  if (!nodes.length) return new Map();
  const runs = Object.values(await (await api.fetchApi(`/history?max_items=${HISTORY}`)).json()).reverse();
  const outputs = nodes.map((node) => [node, app.nodeOutputs?.[node.id] ?? lastOutput(runs, node, kind)]);
  return new Map(outputs.filter(([, output]) => output));
}

/** The newest output of a node of this workflow among runs that the server remembers, newest first. */
function lastOutput(runs, node, kind) {
  for (const run of runs) {
    const [, , graph, extra] = run.prompt ?? [];
    const workflow = extra?.extra_pnginfo?.workflow?.id;
    if (!workflow || workflow !== (app.rootGraph ?? app.graph).id) continue;
    const key = Object.keys(run.outputs).find(
      (id) => id.split(":").pop() === String(node.id) && graph[id]?.class_type === kind, // "3:7" is in a subgraph
    );
    if (key) return run.outputs[key];
  }
  return null;
}

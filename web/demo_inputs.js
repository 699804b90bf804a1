/** Makes the templates of this pack run as they are: what they load is put among the user's inputs.
 *
 * That happens when such a workflow is opened, not before, and never over a file that is there. */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

/** By ComfyUI's own node that loads it: the file and what it is. */
const DEMOS = {
  LoadVideo: { name: "vfe_demo.mp4", type: "video/mp4" },
  LoadImage: { name: "vfe_demo.png", type: "image/png" },
};

const isShown = (node, value) => node.type in DEMOS && value === DEMOS[node.type].name;

async function bring({ name, type }) {
  const there = await api.fetchApi(`/view?${new URLSearchParams({ filename: name, type: "input" })}`, { method: "HEAD" });
  if (there.ok) return;
  const content = await (await fetch(new URL(`./demo/${name}`, import.meta.url))).blob();
  const form = new FormData();
  form.append("image", new File([content], name, { type })); // every kind of input is sent so
  form.append("type", "input");
  await api.fetchApi("/upload/image", { method: "POST", body: form });
}

app.registerExtension({
  name: "VFE.DemoInputs",

  async beforeConfigureGraph(workflow) {
    const nodes = Array.isArray(workflow?.nodes) ? workflow.nodes : [];
    const loaders = new Set(nodes.filter((node) => isShown(node, node.widgets_values?.[0])).map((node) => node.type));
    await Promise.all([...loaders].map((loader) => bring(DEMOS[loader])));
  },

  /** The lists of inputs were read before the files were there. */
  afterConfigureGraph() {
    for (const node of app.graph.nodes) {
      const widget = node.widgets?.[0];
      const list = isShown(node, widget?.value) && widget.options?.values;
      if (Array.isArray(list) && !list.includes(widget.value)) list.push(widget.value);
    }
  },
});

/** Makes the templates of this pack run as they are: the clip that they load is put among the user's inputs.
 *
 * That happens when such a workflow is opened, not before, and never over a file that is there. */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const CLIP = "vfe_demo.mp4";
const LOADER = "LoadVideo"; // ComfyUI's own

app.registerExtension({
  name: "VFE.DemoClip",

  async beforeConfigureGraph(workflow) {
    const nodes = Array.isArray(workflow?.nodes) ? workflow.nodes : [];
    if (!nodes.some((node) => node.type === LOADER && node.widgets_values?.[0] === CLIP)) return;
    const there = await api.fetchApi(`/view?${new URLSearchParams({ filename: CLIP, type: "input" })}`, { method: "HEAD" });
    if (there.ok) return;
    const clip = await (await fetch(new URL(`./demo/${CLIP}`, import.meta.url))).blob();
    const form = new FormData();
    form.append("image", new File([clip], CLIP, { type: "video/mp4" })); // every kind of input is sent so
    form.append("type", "input");
    await api.fetchApi("/upload/image", { method: "POST", body: form });
  },

  /** The list of videos was read before the clip was there. */
  afterConfigureGraph() {
    for (const node of app.graph.nodes) {
      const list = node.type === LOADER && node.widgets?.[0]?.value === CLIP && node.widgets[0].options?.values;
      if (Array.isArray(list) && !list.includes(CLIP)) list.push(CLIP);
    }
  },
});

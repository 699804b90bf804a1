/** Makes the templates of this pack run as they are: what they load is put among the user's inputs.
 *
 * That happens when such a workflow is opened, not before, and never over a file that is there. */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const CLIP = { name: "vfe_demo.mp4", type: "video/mp4" };
const PHOTO = { name: "vfe_demo.png", type: "image/png" };

/** By the node that loads it: the value of its first widget, the files that are meant, and the folder they are in. */
const DEMOS = {
  LoadVideo: { value: CLIP.name, files: [CLIP], subfolder: "" },
  LoadImage: { value: PHOTO.name, files: [PHOTO], subfolder: "" },
  VFE_EnhanceFolder: { value: "vfe_demo", files: [CLIP, PHOTO], subfolder: "vfe_demo" },
};

const isShown = (node, value) => node.type in DEMOS && value === DEMOS[node.type].value;

async function bring({ name, type }, subfolder) {
  const place = new URLSearchParams({ filename: name, type: "input", subfolder });
  const there = await api.fetchApi(`/view?${place}`, { method: "HEAD" });
  if (there.ok) return;
  const content = await (await fetch(new URL(`./demo/${name}`, import.meta.url))).blob();
  const form = new FormData();
  form.append("image", new File([content], name, { type })); // every kind of input is sent so
  form.append("type", "input");
  form.append("subfolder", subfolder);
  await api.fetchApi("/upload/image", { method: "POST", body: form });
}

app.registerExtension({
  name: "VFE.DemoInputs",

  async beforeConfigureGraph(workflow) {
    const nodes = Array.isArray(workflow?.nodes) ? workflow.nodes : [];
    const loaders = new Set(nodes.filter((node) => isShown(node, node.widgets_values?.[0])).map((node) => node.type));
    const demos = [...loaders].map((loader) => DEMOS[loader]);
    await Promise.all(demos.flatMap(({ files, subfolder }) => files.map((file) => bring(file, subfolder))));
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

/** The notes of this pack's templates in the language of the page, where there is a translation.
 *
 * A note that somebody has changed stays as it is: translations are found by the whole English text. */

import { app } from "../../scripts/app.js";

const LANGUAGES = ["zh"];
const TITLES = { zh: "使用说明" };

async function translations(language) {
  return (await fetch(new URL(`./notes/${language}.json`, import.meta.url))).json();
}

app.registerExtension({
  name: "VFE.TemplateNotes",

  async beforeConfigureGraph(workflow) {
    const nodes = Array.isArray(workflow?.nodes) ? workflow.nodes : [];
    const notes = nodes.filter(({ type, widgets_values }) => type === "MarkdownNote" && widgets_values?.[0]);
    const language = (app.ui.settings.getSettingValue("Comfy.Locale") ?? "en").split("-")[0];
    if (!notes.length || !LANGUAGES.includes(language)) return;
    const texts = await translations(language);
    for (const note of notes) {
      const text = texts[note.widgets_values[0].trim()];
      if (text === undefined) continue;
      note.widgets_values = [text];
      note.title = TITLES[language];
    }
  },
});

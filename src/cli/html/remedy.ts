import { type Markup, markup } from "./markup.js";

/** What to do, and the commands for it, each on a line of its own, to be copied whole. */
export function remedyMarkup(remedy: string): Markup {
  const [words = "", ...commands] = remedy.split("\n");
  const lines = commands.map((command) => markup`<code>${command}</code>`);
  return markup`${words}${lines.length === 0 ? [] : [markup`<span class="commands">${lines}</span>`]}`;
}

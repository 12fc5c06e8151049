import { printable } from "../../redact.js";

/** Longest piece of text that a page shows. */
const MAX_TEXT = 2000;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Any text made fit for an element or a quoted attribute. */
export function escapeHtml(text: string | number): string {
  return printable(String(text), MAX_TEXT).replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? "");
}

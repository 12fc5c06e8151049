/** What JSON leaves as it is, and a terminal obeys or hides: C1 controls, marks that reorder text. */
const UNESCAPED = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** JSON for people and programs: the same data, and nothing that a terminal would act on. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2).replace(UNESCAPED, escaped)}\n`;
}

/** By its UTF-16 units, as JSON has it. */
function escaped(mark: string): string {
  const units = Array.from({ length: mark.length }, (_, at) => mark.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

/** One table of the bench. Every cell is text. */
export interface Table {
  readonly title: string;
  /** What was measured and how, in a sentence. */
  readonly note?: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A figure that this project promises, and whether this run kept the promise. */
export interface Promised {
  readonly what: string;
  readonly limit: string;
  readonly measured: string;
  readonly kept: boolean;
}

/** The result of one part of the bench. */
export interface PartResult {
  readonly tables: readonly Table[];
  readonly promises?: readonly Promised[];
  /** SVG documents by file name. */
  readonly charts?: Readonly<Record<string, string>>;
}

export function printTable({ title, note, columns, rows }: Table): void {
  const all = [columns, ...rows];
  const widths = columns.map((_, column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      // Names to the left, figures to the right.
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  console.log(`\n${title}`);
  if (note !== undefined) console.log(note);
  console.log(line(columns));
  console.log(widths.map((width) => "-".repeat(width)).join("  "));
  for (const row of rows) console.log(line(row));
}

export function printPromise({ what, limit, measured, kept }: Promised): void {
  console.log(`${kept ? "PASS" : "FAIL"}  ${what}: ${measured} (must be ${limit})`);
}

/** A number as a cell, with its significant digits only. */
export function figure(value: number | undefined, unit = ""): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  const text = value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return unit === "" ? text : `${text} ${unit}`;
}

export function ratio(value: number, base: number): string {
  return `${(value / base).toFixed(2)}×`;
}

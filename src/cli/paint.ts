import { styleText } from "node:util";

export type Style = Parameters<typeof styleText>[0];

/** Gives text a style, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

export const plain: Paint = (_style, text) => text;

const coloured: Paint = (style, text) => styleText(style, text, { validateStream: false });

/** Colours for a terminal that has them: https://no-color.org, and `FORCE_COLOR` for pipes. */
export function paintFor(
  stream: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>>,
): Paint {
  if (env.NO_COLOR) return plain;
  if (env.FORCE_COLOR) return env.FORCE_COLOR === "0" ? plain : coloured;
  return stream.isTTY === true && env.TERM !== "dumb" ? coloured : plain;
}

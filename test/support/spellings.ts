/** A text as one piece for each of its characters: what a spelling makes of that character. */
export type Pieces = readonly string[];

export type Spelling = (pieces: Pieces) => Pieces;

const hex = (letter: string, width: number) =>
  letter.charCodeAt(0).toString(16).padStart(width, "0");

/** Spells each letter of each piece by itself. */
const letters =
  (spell: (letter: string) => string): Spelling =>
  (pieces) =>
    pieces.map((piece) => Array.from(piece, spell).join(""));

/** Spells each byte of the UTF-8. */
const bytes = (spell: (byte: string) => string): Spelling =>
  letters((letter) => Array.from(Buffer.from(letter).toString("latin1"), spell).join(""));

/** Spells what is ASCII. */
const ascii = (spell: (letter: string) => string): Spelling =>
  letters((letter) => (letter < "\x80" ? spell(letter) : letter));

/** Breaks lines after so many columns, wherever that falls. */
function wrapped(width: number, between: string): Spelling {
  return (pieces) => {
    let column = 0;
    return pieces.map((piece) =>
      Array.from(piece, (letter) => {
        column = column === width ? 1 : column + 1;
        return column === width ? `${letter}${between}` : letter;
      }).join(""),
    );
  };
}

const JSON_ESCAPES: Readonly<Record<string, string>> = { "/": "\\/", '"': '\\"', "\\": "\\\\" };
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};
const PUNCTUATION_ENTITIES: Readonly<Record<string, string>> = {
  ...ENTITIES,
  ".": "&period;",
  "/": "&sol;",
  "=": "&equals;",
  _: "&lowbar;",
  "|": "&vert;",
};

/** What forms, URLs, JSON, XML, HTML, mail and terminals make of a text, by name. */
export const SPELLINGS: Readonly<Record<string, Spelling>> = {
  "as it is": (pieces) => pieces,
  "percent-encoded where a URL wants it": letters(encodeURIComponent),
  "percent-encoded in lower case": bytes((letter) => `%${hex(letter, 2)}`),
  "percent-encoded in upper case": bytes((letter) => `%${hex(letter, 2).toUpperCase()}`),
  "in JSON": letters((letter) => JSON_ESCAPES[letter] ?? letter),
  "in JSON by code units": letters((letter) => `\\u${hex(letter, 4)}`),
  "in JavaScript by bytes": ascii((letter) => `\\x${hex(letter, 2)}`),
  "in JavaScript by code points": letters((letter) => `\\u{${hex(letter, 1)}}`),
  "in octal escapes": ascii((l) => `\\${l.charCodeAt(0).toString(8).padStart(3, "0")}`),
  "in XML": letters((letter) => ENTITIES[letter] ?? letter),
  "in HTML by names": letters((letter) => PUNCTUATION_ENTITIES[letter] ?? letter),
  "in decimal entities": letters((letter) => `&#${letter.charCodeAt(0)};`),
  "in hexadecimal entities": letters((letter) => `&#x${hex(letter, 2)};`),
  "in entities with zeros": letters((letter) => `&#X000${hex(letter, 2)};`),
  "quoted-printable": (pieces) =>
    wrapped(75, "=\r\n")(letters((l) => (l === "=" ? "=3D" : l))(pieces)),
  "quoted-printable throughout": bytes((letter) => `=${hex(letter, 2).toUpperCase()}`),
  "in lines of 64": wrapped(64, "\n"),
  "in lines of 76": wrapped(76, "\r\n"),
  "in indented lines": wrapped(40, "\r\n\t    "),
  "in JSON's line breaks": wrapped(50, "\\n"),
  "in URL-encoded lines": wrapped(60, "%0D%0A"),
  "in concatenated lines": wrapped(48, "' +\n  '"),
  "in lower case": letters((letter) => letter.toLowerCase()),
  "in upper case": letters((letter) => letter.toUpperCase()),
  "with zero-width marks": letters((letter) => `${letter}\u200b`),
  "with soft hyphens": wrapped(8, "\u00ad"),
  "in UTF-16": letters((letter) => `${letter}\0`),
  "in colours": wrapped(10, "\u001b[1;31m"),
};

/** Those that lose something: the escapes of other spellings would not survive them. */
export const CASE_FOLDING = ["in lower case", "in upper case"];

/** Those that put something between the characters, wherever that falls. */
const INSERTING =
  /^(?:quoted-printable|in .*line(?:s|\b.*breaks)?\b.*|with .*|in UTF-16|in colours)$/;

/** Those that wrap what is written already. */
const WRAPPING = ["in lines of 64", "in lines of 76", "in indented lines", "quoted-printable"];

type Named = readonly [name: string, spelling: Spelling];
const ALL: readonly Named[] = Object.entries(SPELLINGS);

/** What one program after another does to a text: marks and line breaks, then encodings, then a wrap. */
export const STEPS: Readonly<Record<"marks" | "encodings" | "wraps", readonly Named[]>> = {
  marks: ALL.filter(([name]) => CASE_FOLDING.includes(name) || INSERTING.test(name)),
  encodings: ALL.filter(([name]) => !CASE_FOLDING.includes(name) && !INSERTING.test(name)),
  wraps: ALL.filter(([name]) => WRAPPING.includes(name)),
};

/** Each character of a text as a piece. */
export function piecesOf(text: string): Pieces {
  return Array.from(text);
}

/** What a text holds of the pieces, if that is so many in a row. */
export function partIn(text: string, pieces: Pieces, length: number): string | undefined {
  for (let at = 0; at + length <= pieces.length; at += 1) {
    const part = pieces.slice(at, at + length).join("");
    if (text.includes(part)) return part;
  }
  return undefined;
}

/**
 * A text with all its encodings undone: percent-encoding, JSON and JavaScript escapes, XML and HTML
 * entities, quoted-printable, wrapped lines, nested to any depth. It leaves out whatever an encoding
 * inserts (spaces, line breaks, quotes, backslashes, invisible marks), so that a secret can be found by its
 * own characters.
 */
export interface PlainText {
  /** Printable ASCII, and the UTF-8 bytes of all other letters as U+0080 to U+00FF. */
  readonly text: string;
  readonly source: string;
  /** Where each character begins and ends in the source. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** What was left out before each character: a sum of {@link GAP}. */
  readonly gaps: Uint8Array;
}

export const GAP = { blank: 1, line: 2, plus: 4 } as const;

/**
 * Undoes every encoding, in linear time: an escape is undone as soon as its last character is read. In
 * quoted-printable, `=` begins an escape; elsewhere, a value follows it. A text with a `=` therefore has two
 * plain texts.
 */
export function unspell(source: string): PlainText[] {
  const plain = new Unspeller(source, false).plainText();
  return plain.text.includes("=") ? [plain, new Unspeller(source, true).plainText()] : [plain];
}

const LINE_BREAK = /[\n\v\f\r\x85\u2028\u2029]/;
const BLANK = /[^\S\ufeff]|["'`]/;
/** NUL of UTF-16, soft hyphens, zero-width and bidirectional marks: they separate nothing. */
const INVISIBLE = /[\p{Cc}\p{Cf}]/u;
/** The characters beyond ASCII that a plain text leaves out. */
const LEFT_OUT = /^[\p{Cc}\p{Cf}\p{Z}]$/u;
const BACKSLASH = 0x5c;
const EQUALS = 0x3d;
/** Longest entity or `\u{…}` that is recognized. */
const MAX_ESCAPE = 14;
const MAX_DEPTH = 255;
/** A terminal's color. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins with one
const COLOR = /^\x1b\[[\d:;?]*[A-Za-z]$/;
const ESCAPE = 0x1b;

/** `\n`, `\r`, `\b`, `\f`, `\t`, `\v`, by the code of the letter. */
const SHORT_ESCAPES: Readonly<Record<number, string>> = {
  98: " ",
  102: " ",
  110: "\n",
  114: "\n",
  116: " ",
  118: " ",
};

/** HTML's names for the characters of tokens, URLs and encodings. */
const NAMED_ENTITIES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    amp: "&",
    apos: "'",
    ast: "*",
    bsol: "\\",
    colon: ":",
    comma: ",",
    commat: "@",
    dollar: "$",
    equals: "=",
    excl: "!",
    grave: "`",
    gt: ">",
    hat: "^",
    lbrace: "{",
    lbrack: "[",
    lcub: "{",
    lowbar: "_",
    lpar: "(",
    lsqb: "[",
    lt: "<",
    nbsp: " ",
    newline: "\n",
    num: "#",
    percnt: "%",
    period: ".",
    plus: "+",
    quest: "?",
    quot: '"',
    rbrace: "}",
    rbrack: "]",
    rcub: "}",
    rpar: ")",
    rsqb: "]",
    semi: ";",
    sol: "/",
    tab: "\t",
    underbar: "_",
    verbar: "|",
    vert: "|",
  }),
);

class Unspeller {
  readonly #source: string;
  readonly #isQuotedPrintable: boolean;
  readonly #codes: Uint16Array;
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #gaps: Uint8Array;
  /** How many nested escapes stood for each character. */
  readonly #depths: Uint8Array;
  #depth = 0;
  #length = 0;
  #gap = 0;
  /** The character of the escape that was just completed. */
  #undone: { readonly letter: string; readonly start: number } | undefined;
  /** Between a soft line break and the next character. */
  #isSoft = false;

  constructor(source: string, isQuotedPrintable: boolean) {
    this.#source = source;
    this.#isQuotedPrintable = isQuotedPrintable;
    // The halves of a surrogate pair are encoded one by one: six bytes instead of four.
    const size = Math.ceil(Buffer.byteLength(source) * 1.5);
    this.#codes = new Uint16Array(size);
    this.#starts = new Int32Array(size);
    this.#ends = new Int32Array(size);
    this.#gaps = new Uint8Array(size);
    this.#depths = new Uint8Array(size);
  }

  plainText(): PlainText {
    for (let at = 0; at < this.#source.length; at += 1) {
      this.#read(this.#source.charAt(at), at, at + 1);
    }
    return this.#withoutMarks();
  }

  /** A loop and not a recursion: text from outside may nest escapes to any depth. */
  #read(letter: string, start: number, end: number): void {
    this.#depth = 0;
    this.#letter(letter, start, end);
    while (this.#undone !== undefined) {
      const { letter: next, start: from } = this.#undone;
      this.#undone = undefined;
      this.#letter(next, from, end);
    }
  }

  #letter(letter: string, start: number, end: number): void {
    const code = letter.charCodeAt(0);
    if (code > 0x20 && code < 0x7f && code !== 0x22 && code !== 0x27 && code !== 0x60) {
      if (code === 0x2b) this.#gap |= GAP.plus;
      else if (!this.#isDoubled(code)) {
        this.#character(code, start, end);
      }
    } else if (code === ESCAPE) this.#append(code, start, end);
    else if (LINE_BREAK.test(letter)) this.#lineBreak();
    else if (BLANK.test(letter)) this.#gap |= GAP.blank;
    else if (!INVISIBLE.test(letter)) {
      for (const byte of utf8(code)) this.#append(byte, start, end);
    }
  }

  /** Whether a backslash follows one of the same depth: JSON in JSON doubles each backslash. */
  #isDoubled(code: number): boolean {
    const isPair = code === BACKSLASH && this.#code(1) === BACKSLASH;
    return isPair && this.#depths[this.#length - 1] === this.#depth;
  }

  /** A line break after `=` is a soft line break of quoted-printable: the line continues. */
  #lineBreak(): void {
    const last = this.#length - 1;
    if (this.#isSoft) return;
    if (this.#isQuotedPrintable && this.#codes[last] === EQUALS && this.#gap === 0) {
      this.#isSoft = true;
      this.#gap = this.#gaps[last] ?? 0;
      this.#length = last;
    } else this.#gap |= GAP.line;
  }

  #character(code: number, start: number, end: number): void {
    const short = this.#code(1) === BACKSLASH ? SHORT_ESCAPES[code] : undefined;
    if (short !== undefined) {
      this.#undo(1, short);
      return;
    }
    this.#append(code, start, end);
    if (code === 0x3b) this.#undoEntity();
    else if (code === 0x7d) this.#undoBraces();
    else if (isHex(code)) this.#undoHex(end);
    if (code >= 0x40) this.#dropColour();
  }

  #dropColour(): void {
    const length = this.#lengthFrom(ESCAPE);
    if (!COLOR.test(this.#tail(length))) return;
    this.#length -= length;
    this.#gap |= this.#gaps[this.#length] ?? 0;
  }

  #append(code: number, start: number, end: number): void {
    this.#codes[this.#length] = code;
    this.#starts[this.#length] = start;
    this.#ends[this.#length] = end;
    this.#gaps[this.#length] = this.#gap;
    this.#depths[this.#length] = this.#depth;
    this.#gap = 0;
    this.#isSoft = false;
    this.#length += 1;
  }

  /** The code of the character at this distance from the end; 1 is the last. */
  #code(back: number): number {
    return this.#codes[this.#length - back] ?? 0;
  }

  #tail(length: number): string {
    if (length > this.#length) return "";
    return String.fromCharCode(...this.#codes.subarray(this.#length - length, this.#length));
  }

  /** Replaces an escape by its character, which may complete another escape. @returns where the escape began. */
  #undo(length: number, letter: string): number {
    const depths = this.#depths.subarray(this.#length - length, this.#length);
    this.#depth = Math.min(MAX_DEPTH, 1 + Math.max(...depths));
    this.#length -= length;
    this.#gap = this.#gaps[this.#length] ?? 0;
    const start = this.#starts[this.#length] ?? 0;
    this.#undone = { letter, start };
    return start;
  }

  /** `%2E`, `=2E`, `\x2e`, `\u002e`, `%u002e`, `\056`. */
  #undoHex(end: number): void {
    const [three, four, six] = [this.#code(3), this.#code(4), this.#code(6)];
    const isByte = three === 0x25 || (three === EQUALS && this.#isQuotedPrintable);
    const isUnit =
      /u/i.test(String.fromCharCode(this.#code(5))) && (six === BACKSLASH || six === 0x25);
    if (isByte && isHex(this.#code(2))) this.#undoByte(end);
    else if (four === BACKSLASH && /x[0-9a-f]{2}/i.test(this.#tail(3))) {
      this.#undoCode(4, this.#tail(2), 16);
    } else if (four === BACKSLASH && /[0-3][0-7]{2}/.test(this.#tail(3))) {
      this.#undoCode(4, this.#tail(3), 8);
    } else if (isUnit && /[0-9a-f]{4}/i.test(this.#tail(4))) {
      this.#undoCode(6, this.#tail(4), 16);
    }
  }

  #undoByte(end: number): void {
    const byte = Number.parseInt(this.#tail(2), 16);
    const start = this.#undo(3, String.fromCharCode(byte));
    if (byte < 0x80) return;
    // One of several bytes of a character in UTF-8.
    this.#undone = undefined;
    this.#append(byte, start, end);
    for (const length of [2, 3]) {
      const letter = Buffer.from(this.#tail(length), "latin1").toString();
      if (LEFT_OUT.test(letter)) this.#undo(length, letter);
    }
  }

  /** `\u{2e}` */
  #undoBraces(): void {
    const length = this.#lengthFrom(BACKSLASH);
    const [, digits] = /\\u\{([0-9a-f]{1,8})\}/i.exec(this.#tail(length)) ?? [];
    if (digits !== undefined) this.#undoCode(length, digits, 16);
  }

  /** `&period;`, `&#46;`, `&#x2E;` */
  #undoEntity(): void {
    const length = this.#lengthFrom(0x26);
    const name = this.#tail(length).slice(1, -1).toLowerCase();
    const [, hex, decimal] = /^#(?:x([0-9a-f]+)|(\d+))$/.exec(name) ?? [];
    const letter = NAMED_ENTITIES.get(name);
    if (hex !== undefined) this.#undoCode(length, hex, 16);
    else if (decimal !== undefined) this.#undoCode(length, decimal, 10);
    else if (letter !== undefined) this.#undo(length, letter);
  }

  #undoCode(length: number, digits: string, radix: number): void {
    const code = Number.parseInt(digits, radix);
    // This may be half of a surrogate pair, which is enough to compare texts.
    this.#undo(length, String.fromCharCode(code));
  }

  /** The length of the tail that begins with a mark; 0 when the mark is too far away. */
  #lengthFrom(mark: number): number {
    for (let back = 2; back <= MAX_ESCAPE; back += 1) {
      if (this.#code(back) === mark) return back;
    }
    return 0;
  }

  #withoutMarks(): PlainText {
    let kept = 0;
    let gap = 0;
    for (let at = 0; at < this.#length; at += 1) {
      gap |= this.#gaps[at] ?? 0;
      if (this.#codes[at] === BACKSLASH || this.#codes[at] === ESCAPE) continue;
      this.#codes[kept] = this.#codes[at] ?? 0;
      this.#starts[kept] = this.#starts[at] ?? 0;
      this.#ends[kept] = this.#ends[at] ?? 0;
      this.#gaps[kept] = gap;
      gap = 0;
      kept += 1;
    }
    const text = Buffer.from(this.#codes.subarray(0, kept)).toString("latin1");
    return {
      text,
      source: this.#source,
      starts: this.#starts.subarray(0, kept),
      ends: this.#ends.subarray(0, kept),
      gaps: this.#gaps.subarray(0, kept),
    };
  }
}

function isHex(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x46) || isLowerHex(code);
}

function isLowerHex(code: number): boolean {
  return code >= 0x61 && code <= 0x66;
}

/** The bytes of one UTF-16 unit beyond ASCII; each half of a surrogate pair is encoded by itself. */
function utf8(code: number): number[] {
  if (code < 0x800) return [0xc0 | (code >> 6), 0x80 | (code & 0x3f)];
  return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)];
}

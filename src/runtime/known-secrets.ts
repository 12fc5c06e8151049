import type { PlainText } from "./spellings.js";
import { unspell } from "./spellings.js";

/** A piece of a text: from its first character to the one after its last. */
export type Span = readonly [start: number, end: number];

/**
 * This many consecutive characters of a secret are removed, whatever is around them: 96 bits of base64url.
 * Fewer may be an ordinary word. A shorter secret is only removed as a whole.
 */
const MIN_PART = 16;
/** A shorter secret is only found exactly as written, in no other spelling: it may be a word. */
const MIN_WHOLE = 8;
/** Every part of `MIN_PART` characters contains a sample that begins at a multiple of the step. */
const STEP = 8;
const SAMPLE = MIN_PART - STEP + 1;
/** How many places of one sample are compared: a secret may repeat a single letter. */
const MAX_PLACES = 32;
/** Separates two secrets; no plain text contains it. */
const SEPARATOR = "\0";

/** Secrets, prepared for a search in any text, whole or in part, in any spelling. */
export class KnownSecrets {
  readonly #literal: readonly string[];
  readonly #whole: readonly string[];
  readonly #forms: string;
  readonly #samples = new Map<string, number[]>();

  constructor(secrets: readonly string[]) {
    this.#literal = secrets.filter((secret) => secret !== "");
    const forms = [...new Set(this.#literal.flatMap(formsOf))];
    this.#whole = forms.filter(({ length }) => length < MIN_PART);
    this.#forms = forms.join(SEPARATOR);
    let offset = 0;
    for (const form of forms) {
      for (let at = 0; at + SAMPLE <= form.length; at += STEP) this.#index(offset + at);
      offset += form.length + SEPARATOR.length;
    }
  }

  /** Where the secrets are in the source of a plain text. */
  find(plain: PlainText): Span[] {
    if (this.#literal.length === 0) return [];
    const { text, places } = compared(plain.text);
    const spans = [
      ...this.#findParts(text),
      ...this.#whole.flatMap((each) => occurrences(text, each)),
    ];
    return [
      ...this.#literal.flatMap((secret) => occurrences(plain.source, secret)),
      ...spans.map(([start, end]) =>
        sourceSpan(plain, places[start] ?? 0, (places[end - 1] ?? 0) + 1),
      ),
    ];
  }

  #index(at: number): void {
    const sample = this.#forms.slice(at, at + SAMPLE);
    const places = this.#samples.get(sample);
    if (places === undefined) this.#samples.set(sample, [at]);
    else if (places.length < MAX_PLACES) places.push(at);
  }

  #findParts(text: string): Span[] {
    const found: Span[] = [];
    let at = 0;
    while (at + SAMPLE <= text.length) {
      const places = this.#samples.get(text.slice(at, at + SAMPLE)) ?? [];
      const spans = places
        .map((place) => this.#common(text, at, place))
        .filter(([start, end]) => end - start >= MIN_PART);
      found.push(...spans);
      // The next one may overlap with these.
      at = Math.max(at + 1, ...spans.map(([, end]) => end - SAMPLE + 1));
    }
    return found;
  }

  /** The piece around two equal samples that a text and a secret have in common. */
  #common(text: string, at: number, place: number): Span {
    const secret = this.#forms;
    let before = 0;
    while (before < STEP && at > before && text[at - before - 1] === secret[place - before - 1]) {
      before += 1;
    }
    let length = SAMPLE;
    while (at + length < text.length && text[at + length] === secret[place + length]) length += 1;
    return [at - before, at + length];
  }
}

/** A piece of a plain text as a piece of its source. */
export function sourceSpan({ starts, ends }: PlainText, start: number, end: number): Span {
  return [starts[start] ?? 0, ends[end - 1] ?? 0];
}

/** The plain texts of a secret and of its encodings. */
function formsOf(secret: string): string[] {
  const plain = unspell(secret).map(({ text }) => compared(text).text);
  if (plain.some(({ length }) => length < MIN_WHOLE)) return [];
  const bytes = Buffer.from(secret);
  const encoded = [...new Set([secret, encodeURIComponent(bytes.toString())])];
  const others = [...encoded.flatMap(base64Forms), bytes.toString("hex"), bytes.join(",")];
  // These contain no escapes. A plain text leaves out every plus.
  return [...plain, ...others.map((form) => compared(form.replaceAll("+", "")).text)];
}

/** Characters of escapes: a part of an escape may be next to a secret. */
const MARKS = "=%&;";

/** The text that is compared, in lower case and without {@link MARKS}, and the place of each character. */
function compared(text: string): { readonly text: string; readonly places: Int32Array } {
  const places = new Int32Array(text.length);
  const kept: string[] = [];
  for (let at = 0; at < text.length; at += 1) {
    if (MARKS.includes(text.charAt(at))) continue;
    places[kept.length] = at;
    kept.push(text.charAt(at));
  }
  return { text: kept.join("").toLowerCase(), places };
}

/** In both alphabets, and as a part of a longer text: base64 depends on the bytes before it. */
function base64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return ["base64", "base64url"].flatMap((alphabet) =>
    [0, 1, 2].map((shift) => {
      const whole = Buffer.concat([Buffer.alloc(shift), bytes]);
      // Only the characters that depend on the secret alone.
      const last = Math.floor((whole.length * 8) / 6);
      return whole.toString(alphabet as BufferEncoding).slice(Math.ceil((shift * 8) / 6), last);
    }),
  );
}

function occurrences(text: string, part: string): Span[] {
  const found: Span[] = [];
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) {
    found.push([at, at + part.length]);
  }
  return found;
}

/** A process has a request token, a few keys and endpoint tokens. A new secret replaces the oldest. */
const MAX_REMEMBERED = 64;
/** In characters; longer than a private key in PEM. */
const MAX_REMEMBERED_LENGTH = 16 * 1024;
/** In total: after each new secret all of them are prepared again, which takes some milliseconds. */
const MAX_REMEMBERED_CHARACTERS = 32 * 1024;

/** Secrets that this process has read, the most recent last. */
const remembered = new Set<string>();
let ready: KnownSecrets | undefined;

/**
 * Remembers a secret: from now on, no text that is shown contains it. The code that reads or makes a secret
 * calls this function, so that no other part of the package has to know the secret. A text of fewer than
 * eight characters may be a word and is not remembered. Bytes are remembered in their usual encodings.
 */
export function rememberSecret(secret: string | Uint8Array | undefined): void {
  if (secret === undefined) return;
  if (typeof secret !== "string") {
    const bytes = Buffer.from(secret);
    for (const encoding of ["base64", "base64url", "hex"] as const) {
      rememberSecret(bytes.toString(encoding));
    }
    return;
  }
  const text = secret.trim().slice(0, MAX_REMEMBERED_LENGTH);
  if (text.length < MIN_WHOLE) return;
  if (!remembered.has(text)) ready = undefined;
  remembered.delete(text);
  remembered.add(text);
  let characters = 0;
  for (const each of remembered) characters += each.length;
  for (const oldest of remembered) {
    if (remembered.size <= MAX_REMEMBERED && characters <= MAX_REMEMBERED_CHARACTERS) return;
    remembered.delete(oldest);
    characters -= oldest.length;
  }
}

/** The secrets of {@link rememberSecret}. */
export function rememberedSecrets(): KnownSecrets {
  ready ??= new KnownSecrets([...remembered]);
  return ready;
}

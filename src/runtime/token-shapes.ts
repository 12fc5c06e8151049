import type { Span } from "./known-secrets.js";
import { GAP, type PlainText } from "./spellings.js";

/** How a JOSE header begins, and no other text: base64url of `{"`, or of `{` and a space. */
const JOSE_START = /e(?:yJ|y[A-D]|w[0ko])/g;
/** How much of a header is decoded to recognize it; the shortest one, `{"alg":""}`, has 14 characters. */
const JOSE_SAMPLE = 12;
const JOSE_BEGINNING = /^\{\s*(?:"[\x20-\x7e]*)?$/;
/** The beginning of a JWT that was encoded in base64 as a whole, as Kubernetes keeps secrets. */
const ENCODED_START = /ZXlK/g;
const ENCODED_SAMPLE = 24;

const TOKEN = /[\w.-]/;
const CREDENTIAL = /[\w.~/=-]/;
const ENCODED = /[\w/=-]/;
const NAMED_VALUE = /[^<>&,;(){}[\]]/;

/** A scheme of `Authorization` headers (RFC 9110, 11.1). */
const SCHEME = /bearer|basic/gi;
/** A word after a scheme that is not a credential: "basic authentication", `Bearer realm="…"`. */
const PLAIN_WORD = /^(?:[a-z]+|[A-Z][a-z]*|[A-Z]+)[=.:]*$/;
const MAX_PLAIN_WORD = 20;

/** The names of fields that only hold secrets, with the characters between name and value. */
const NAMED =
  /(?:secret_?access_?key|session_?token|(?:amz-)?security-?token|web_?identity_?token|access_?token|id_?token|refresh_?token|client_?secret|client_?assertion|password|passwd|api_?key|private_?key)[:=>]{1,3}/gi;
/** Parameters of a URL that sign it or contain a password. */
const QUERY =
  /[?&](?:[\w.-]{0,40}[_.-])?(?:token|secret|password|passwd|pwd|sig|signature|key|apikey|code|credential|auth)=/gi;
const AUTHORITY = /:\/\//g;
const MAX_USERINFO = 1024;

/** A line of a wrapped token has at least this length; openssl's have 64, MIME's 76. */
const MIN_WRAPPED = 32;
/** A piece of this length with letters, digits and capitals is not a word. */
const MIN_PIECE = 16;

/**
 * Finds text with the shape of a secret, whosever it is: JWTs and JWEs, also truncated or wrapped, the
 * credentials of `Authorization` headers and URLs, and the values of fields that only hold secrets.
 */
export function findSecretShapes(plain: PlainText): Span[] {
  const reader = new ShapeReader(plain);
  return [
    ...reader.tokens(),
    ...reader.tokensInAnyCase(),
    ...reader.encodedTokens(),
    ...reader.authorization(),
    ...reader.named(),
    ...reader.parameters(),
    ...reader.userinfo(),
  ];
}

class ShapeReader {
  readonly #plain: PlainText;
  readonly #text: string;
  readonly #gaps: Uint8Array;

  constructor(plain: PlainText) {
    this.#plain = plain;
    this.#text = plain.text;
    this.#gaps = plain.gaps;
  }

  tokens(): Span[] {
    return this.#matches(JOSE_START, (start) => {
      const sample = this.#text.slice(start, start + JOSE_SAMPLE);
      if (!/[\w-]{12}/.test(sample)) return undefined;
      if (!JOSE_BEGINNING.test(Buffer.from(sample, "base64url").toString("latin1"))) {
        return undefined;
      }
      return this.#run(start, TOKEN);
    });
  }

  /** Finds a JWT that lost its letter case, as in a host name: its header can't be decoded. */
  tokensInAnyCase(): Span[] {
    return this.#matches(/\.eyj/gi, (dot) => {
      let start = dot;
      while (!this.#isApart(start) && this.#isWord(start - 1)) start -= 1;
      const header = this.#text.slice(start, dot).search(/eyj[\w-]{10}/i);
      return header === -1 ? undefined : [start + header, this.#run(dot, TOKEN)[1]];
    });
  }

  encodedTokens(): Span[] {
    return this.#matches(ENCODED_START, (start) => {
      const sample = this.#text.slice(start, start + ENCODED_SAMPLE);
      const isToken = /^[\w.-]{4,}$/.test(Buffer.from(sample, "base64").toString("latin1"));
      return isToken ? this.#run(start, ENCODED) : undefined;
    });
  }

  authorization(): Span[] {
    return this.#matches(SCHEME, (start, end) => {
      const isWord = this.#isApart(start) || !this.#isWord(start - 1);
      if (!isWord || (this.#gaps[end] ?? 0) === 0) return undefined;
      const value = this.#run(end, CREDENTIAL);
      const word = this.#text.slice(...value);
      const isHeader = /authorization\W{0,3}$/i.test(
        this.#text.slice(Math.max(0, start - 18), start),
      );
      const isPlain = word.length <= MAX_PLAIN_WORD && PLAIN_WORD.test(word);
      return isPlain && !isHeader ? undefined : value;
    });
  }

  named(): Span[] {
    return this.#matches(NAMED, (_, end) => this.#value(end));
  }

  parameters(): Span[] {
    return this.#matches(QUERY, (start, end) =>
      this.#isApart(start + 1) ? undefined : this.#value(end),
    );
  }

  /** A value that begins with `$` is a variable of a shell. */
  #value(start: number): Span | undefined {
    if (this.#text.charAt(start) === "$") return undefined;
    let [, end] = this.#run(start, NAMED_VALUE);
    while (!this.#isApart(end) && this.#isEscaped(end, start - 1)) {
      [, end] = this.#run(end + 1, NAMED_VALUE);
    }
    return [start, end];
  }

  /** Whether a mark is part of the value, because its spelling is longer than that of the mark before the value. */
  #isEscaped(at: number, before: number): boolean {
    const { source, starts } = this.#plain;
    return (
      this.#sourceLength(at) > this.#sourceLength(before) &&
      // An ampersand in HTML is spelled `&amp;` wherever it stands.
      source.charAt(starts[at] ?? 0) !== this.#text.charAt(at)
    );
  }

  #sourceLength(at: number): number {
    return (this.#plain.ends[at] ?? 0) - (this.#plain.starts[at] ?? 0);
  }

  /** `user:password@` of a URL. */
  userinfo(): Span[] {
    return this.#matches(AUTHORITY, (_, start) => {
      const limit = Math.min(this.#text.length, start + MAX_USERINFO);
      let end: number | undefined;
      for (let at = start; at < limit; at += 1) {
        const letter = this.#text.charAt(at);
        if (/[/?#]/.test(letter) || (at > start && this.#isApart(at))) break;
        if (letter === "@") end = at;
      }
      return end === undefined ? undefined : [start, end];
    });
  }

  /** The spans that begin at the matches. The search continues after each span. */
  #matches(pattern: RegExp, spanAt: (start: number, end: number) => Span | undefined): Span[] {
    const found: Span[] = [];
    const search = new RegExp(pattern);
    for (let match = search.exec(this.#text); match !== null; match = search.exec(this.#text)) {
      const span = spanAt(match.index, search.lastIndex);
      if (span === undefined || span[1] <= span[0]) continue;
      found.push(span);
      search.lastIndex = span[1];
    }
    return found;
  }

  /** The run of such letters, across the line breaks of a wrapped token. */
  #run(start: number, letters: RegExp): Span {
    let end = this.#lineEnd(start, letters);
    let lineLength = end - start;
    for (;;) {
      const next = this.#nextLine(end, lineLength, letters);
      if (next === undefined) return [start, end];
      [, end] = next;
      lineLength = end - next[0];
    }
  }

  #lineEnd(start: number, letters: RegExp): number {
    let at = start;
    while (letters.test(this.#text.charAt(at))) {
      if (at > start && this.#isApart(at)) break;
      at += 1;
    }
    return at;
  }

  /**
   * The next line of a wrapped token, also after marks that quote a line (`>`, `|`, `,`): a line that has
   * only such letters, or a piece that does not look like a word.
   */
  #nextLine(end: number, lineLength: number, letters: RegExp): Span | undefined {
    let start = end;
    let gap = this.#gaps[start] ?? 0;
    while (start - end < 3 && /[>|,#]/.test(this.#text.charAt(start))) {
      start += 1;
      gap |= this.#gaps[start] ?? 0;
    }
    if ((gap & (GAP.line | GAP.blank)) === 0 || lineLength < MIN_PIECE) return undefined;
    const next = this.#lineEnd(start, letters);
    const piece = this.#text.slice(start, next);
    const isWrapped = (gap & GAP.line) > 0 && lineLength >= MIN_WRAPPED;
    const isPiece = isEncoded(piece) || (isWrapped && isMixed(piece));
    if (piece.length >= MIN_PIECE && isPiece) return [start, next];
    const isWholeLine = next === this.#text.length || ((this.#gaps[next] ?? 0) & GAP.line) > 0;
    return isWrapped && isWholeLine && next > start ? [start, next] : undefined;
  }

  #isWord(at: number): boolean {
    return /[\w-]/.test(this.#text.charAt(at));
  }

  /** Whether a space, a quote or a line break comes before a character. */
  #isApart(at: number): boolean {
    return ((this.#gaps[at] ?? 0) & (GAP.blank | GAP.line)) > 0;
  }
}

/** Whether a piece has lower-case letters, capitals and digits, as base64 does and words do not. */
function isEncoded(piece: string): boolean {
  return /[a-z]/.test(piece) && /[A-Z]/.test(piece) && /\d/.test(piece);
}

/**
 * Whether a piece has two of the three. That is enough after a whole line of a token: about one last line
 * in a hundred has no digit.
 */
function isMixed(piece: string): boolean {
  return [/[a-z]/, /[A-Z]/, /\d/].filter((kind) => kind.test(piece)).length > 1;
}

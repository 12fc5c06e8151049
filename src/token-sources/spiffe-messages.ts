/*
 * Encodes and decodes the two messages of `FetchJWTSVID` (Protocol Buffers). Two messages that contain only
 * strings need no compiler and no loader for `.proto` files.
 */

/** One identity of the answer (SPIFFE Workload API, `JWTSVID`). */
export interface JwtSvid {
  readonly spiffeId: string;
  readonly svid: string;
  readonly hint: string;
}

const LENGTH_DELIMITED = 2;

/** `JWTSVIDRequest { repeated string audience = 1; string spiffe_id = 2; }` */
export function encodeJwtSvidRequest(audience: string, spiffeId: string | undefined): Buffer {
  const id = spiffeId === undefined ? [] : [textField(2, spiffeId)];
  return Buffer.concat([textField(1, audience), ...id]);
}

function textField(number: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  const head = [(number << 3) | LENGTH_DELIMITED, ...varint(bytes.length)];
  return Buffer.concat([Buffer.from(head), bytes]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

/**
 * `JWTSVIDResponse { repeated JWTSVID svids = 1; }` with
 * `JWTSVID { string spiffe_id = 1; string svid = 2; string hint = 3; }`
 *
 * @throws RangeError for bytes that are not such a message.
 */
export function decodeJwtSvids(bytes: Buffer): JwtSvid[] {
  return readFields(bytes)
    .filter(({ number }) => number === 1)
    .map(({ value }) => {
      const texts = new Map(readFields(value).map((field) => [field.number, field.value]));
      const text = (number: number) => texts.get(number)?.toString() ?? "";
      return { spiffeId: text(1), svid: text(2), hint: text(3) };
    });
}

interface Field {
  readonly number: number;
  readonly value: Buffer;
}

/** The length-delimited fields; those of other kinds, of later versions, are skipped. */
function readFields(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at];
      if (byte === undefined || factor > 2 ** 63) throw new RangeError("a number is cut off");
      at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = readVarint();
    const kind = key % 8;
    if (kind === 0) readVarint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === LENGTH_DELIMITED) {
      const length = readVarint();
      if (length > bytes.length - at) throw new RangeError("a field is cut off");
      fields.push({ number: Math.floor(key / 8), value: bytes.subarray(at, at + length) });
      at += length;
    } else throw new RangeError(`a field of the unknown kind ${kind}`);
  }
  if (at > bytes.length) throw new RangeError("a field is cut off");
  return fields;
}

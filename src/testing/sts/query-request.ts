import type { IncomingMessage } from "node:http";

/** Far over any request that STS takes, so that too long a token still gets STS's answer. */
const MAX_BODY_BYTES = 1_048_576;

/** A request of the AWS query protocol. */
export interface QueryRequest {
  readonly path: string;
  /** The form fields, and those of the URL for a GET. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Reads a request to its end. Resolves to `undefined` when its body is beyond all limits. */
export async function readQueryRequest(
  request: IncomingMessage,
): Promise<QueryRequest | undefined> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (size > MAX_BODY_BYTES) return undefined;
  const body = new URLSearchParams(Buffer.concat(chunks).toString());
  const headers = Object.entries(request.headers).map(([name, value]) => {
    return [name, Array.isArray(value) ? value.join(", ") : value] as const;
  });
  return {
    path: url.pathname,
    parameters: new Map([...url.searchParams, ...body]),
    headers: Object.fromEntries(headers),
  };
}

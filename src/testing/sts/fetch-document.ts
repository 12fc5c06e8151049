import { get as httpGet, type IncomingHttpHeaders } from "node:http";
import { get as httpsGet } from "node:https";

const MAX_DOCUMENT_BYTES = 1_048_576;

/** A JSON document as an IdP served it. */
export interface FetchedDocument {
  readonly value: unknown;
  readonly headers: Readonly<IncomingHttpHeaders>;
}

/**
 * Gets a JSON document on a connection of its own. Redirects are not followed: what STS does with
 * them is not documented.
 *
 * @throws an error for anything but a JSON document with status 200.
 */
export function fetchDocument(
  url: string,
  ca: string | Buffer | undefined,
  signal: AbortSignal,
): Promise<FetchedDocument> {
  return new Promise((resolve, reject) => {
    const { protocol } = new URL(url);
    const get = protocol === "https:" ? httpsGet : httpGet;
    const headers = { accept: "application/json, application/jwk-set+json" };
    const options = { agent: false, signal, headers, ca };
    const request = get(url, options, async (response) => {
      try {
        if (response.statusCode !== 200) throw new Error(`${url}: status ${response.statusCode}`);
        const chunks: Buffer[] = [];
        let size = 0;
        for await (const chunk of response as AsyncIterable<Buffer>) {
          size += chunk.length;
          if (size > MAX_DOCUMENT_BYTES) throw new Error(`${url}: too large`);
          chunks.push(chunk);
        }
        // JSON.parse refuses a byte order mark, as STS is reported to.
        const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
        resolve({ value, headers: response.headers });
      } catch (error) {
        reject(error);
      } finally {
        request.destroy();
      }
    });
    request.on("error", reject);
  });
}

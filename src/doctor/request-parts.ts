import type { RequestParts } from "../model/issuer-report.js";

/** What a request's figures have in common, without what only some of them tell. */
export function requestParts(timing: RequestParts): RequestParts {
  const { status, error, dnsMs, connectMs, tlsMs, firstByteMs, totalMs } = timing;
  return { status, error, dnsMs, connectMs, tlsMs, firstByteMs, totalMs };
}

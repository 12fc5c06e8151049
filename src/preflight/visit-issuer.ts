import type { Finding } from "../model/findings.js";
import type { RequestTiming } from "../model/issuer-report.js";
import { checkDiscovery } from "./discovery.js";
import { isUncacheable } from "./freshness.js";
import { type KeySet, readKeySet } from "./key-set.js";
import { proxyFor } from "./proxy.js";
import {
  type DocumentFailure,
  type FetchContext,
  type KeptDocument,
  renewDocument,
} from "./renew-document.js";
import type { Snapshot } from "./snapshot.js";
import { notCacheable, proxyInUse, slow } from "./visit-findings.js";

/** What the visits to an issuer leave behind for the next one. */
export interface KeptDocuments {
  discovery?: KeptDocument<URL | undefined> | undefined;
  jwks?: KeptDocument<KeySet | undefined> | undefined;
  /** How many visits in a row got no document. */
  failures: number;
}

/** How old kept documents may be, in milliseconds, before they are asked for again. */
export interface MaxAge {
  readonly discoveryMs: number;
  readonly jwksMs: number;
}

/** After a failure an issuer is left alone for this long, doubling up to the maximum. */
const BASE_REST_MS = 5_000;
const MAX_REST_MS = 60_000;

/** Fetches what is too old of an issuer's two documents and reads what came. Never rejects. */
export async function visitIssuer(
  issuer: string,
  discoveryUrl: URL,
  kept: KeptDocuments,
  maxAge: MaxAge,
  context: FetchContext,
): Promise<Snapshot> {
  const { clock, timeoutMs } = context;
  const controller = new AbortController();
  const cancel = clock.schedule(timeoutMs, () => controller.abort(new Error("time is up")));
  const { signal } = controller;
  const fail = (failure: DocumentFailure, before: readonly KeptDocument<unknown>[]) => {
    kept.failures += 1;
    return failedSnapshot(failure, before, kept.failures, context);
  };
  try {
    const discovery = await renewDocument(
      {
        document: "discovery",
        url: discoveryUrl,
        kept: kept.discovery,
        maxAgeMs: maxAge.discoveryMs,
        read: (body) => {
          const { findings, jwksUrl } = checkDiscovery(body, issuer, discoveryUrl.href);
          return { findings, content: jwksUrl };
        },
        signal,
      },
      context,
    );
    if ("finding" in discovery) return fail(discovery, []);
    kept.discovery = discovery;
    const jwksUrl = discovery.content;
    const jwks =
      jwksUrl &&
      (await renewDocument(
        {
          document: "jwks",
          url: jwksUrl,
          kept: kept.jwks,
          maxAgeMs: maxAge.jwksMs,
          read: (body) => {
            const { findings, keySet } = readKeySet(body, jwksUrl.href);
            return { findings, content: keySet };
          },
          signal,
        },
        context,
      ));
    if (jwks && "finding" in jwks) return fail(jwks, [discovery]);
    kept.jwks = jwks;
    kept.failures = 0;
    return snapshotOf(discovery, jwks, context);
  } finally {
    cancel();
  }
}

function snapshotOf(
  discovery: KeptDocument<unknown>,
  jwks: KeptDocument<KeySet | undefined> | undefined,
  context: FetchContext,
): Snapshot {
  const documents = jwks ? [discovery, jwks] : [discovery];
  const requests = documents.map(({ timing }) => timing);
  return {
    findings: [
      ...documents.flatMap(({ findings }) => findings),
      ...(jwks && isUncacheable(jwks.timing.headers) ? [notCacheable(jwks.timing)] : []),
      ...ofRequests(requests, context),
    ],
    requests,
    ...(jwks?.content && {
      keys: { keySet: jwks.content, fetchId: jwks.fetchId, fetchedAt: jwks.fetchedAt },
    }),
    fetchedAt: Math.min(...documents.map(({ fetchedAt }) => fetchedAt)),
    expiresAt: Math.min(...documents.map(({ expiresAt }) => expiresAt)),
    isFailure: false,
  };
}

function failedSnapshot(
  { finding, timing, restMs = 0 }: DocumentFailure,
  before: readonly KeptDocument<unknown>[],
  failures: number,
  context: FetchContext,
): Snapshot {
  const now = context.clock.now();
  const rest = Math.min(MAX_REST_MS, BASE_REST_MS * 2 ** (failures - 1));
  const requests = [...before.map((document) => document.timing), timing];
  return {
    findings: [
      ...before.flatMap(({ findings }) => findings),
      finding,
      ...ofRequests(requests, context).filter(({ id }) => id !== finding.id),
    ],
    requests,
    fetchedAt: Math.min(now, ...before.map(({ fetchedAt }) => fetchedAt)),
    expiresAt: now + Math.max(rest, restMs),
    isFailure: true,
  };
}

function ofRequests(requests: readonly RequestTiming[], { transport }: FetchContext): Finding[] {
  const proxy = requests
    .map(({ url }) => proxyFor(new URL(url), transport.env))
    .find((each) => each !== undefined);
  return [...slow(requests), ...(proxy ? [proxyInUse(proxy)] : [])];
}

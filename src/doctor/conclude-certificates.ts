import type { Finding } from "../model/findings.js";
import type { Facts } from "./facts.js";

const HOUR_MS = 3_600_000;
/** Whoever renews by a machine has renewed by then. */
const RENEWED_BY_MS = 14 * 24 * HOUR_MS;
/** Certificates of a few days are renewed later than that, but not in their last quarter. */
const RENEWED_BY_SHARE = 1 / 4;

/** A certificate, and whose it is. */
interface Served {
  readonly host: string;
  readonly validFrom: string;
  readonly validTo: string;
  /** What tells it from the host's others. */
  readonly mark: { readonly subject: string } | { readonly region: string };
  readonly remedy: string;
}

/** Certificates that end soon: the first to end of the issuer's chain, and the STS endpoints' own. */
export function certificateFindings({ issuer, sts, startedAt, clockSkewMs = 0 }: Facts): Finding[] {
  const now = Date.parse(startedAt) + clockSkewMs;
  const chain = (issuer?.tls?.chain ?? []).map(({ validFrom, validTo, subject }): Served => {
    const host = issuer?.host ?? "the issuer";
    return { host, validFrom, validTo, mark: { subject }, remedy: OF_THE_ISSUER };
  });
  const own = sts.flatMap(({ host, region, certificate }): Served[] =>
    certificate === undefined ? [] : [{ host, ...certificate, mark: { region }, remedy: OF_STS }],
  );
  const [first] = chain
    .filter((each) => endsSoon(each, now))
    .toSorted((a, b) => Date.parse(a.validTo) - Date.parse(b.validTo));
  return [...(first ? [first] : []), ...own.filter((each) => endsSoon(each, now))].map((each) =>
    ending(each, now),
  );
}

const OF_THE_ISSUER =
  "IdP: renew the certificate, and find out why it was not renewed automatically. When it expires, STS may get no keys.";
const OF_STS =
  "Network: have the operator of this endpoint (VPC endpoint, TLS inspection, an STS of your own) renew its certificate.";

/** One that has ended is no advice: it is not trusted, and told as such. */
function endsSoon({ validFrom, validTo }: Served, now: number): boolean {
  const left = Date.parse(validTo) - now;
  const life = Date.parse(validTo) - Date.parse(validFrom);
  return left > 0 && left < Math.min(RENEWED_BY_MS, life * RENEWED_BY_SHARE);
}

function ending({ host, validTo, mark, remedy }: Served, now: number): Finding {
  const hoursLeft = Math.floor((Date.parse(validTo) - now) / HOUR_MS);
  const left = hoursLeft < 48 ? `${hoursLeft} h` : `${Math.floor(hoursLeft / 24)} days`;
  const whose = "subject" in mark ? `the certificate of ${mark.subject}` : "its certificate";
  return {
    id: "certificate-expires-soon",
    severity: "advice",
    title: "A TLS certificate expires soon.",
    detail: `${host}: ${whose} ends at ${validTo}, in ${left}.`,
    remedy,
    evidence: { host, ...mark, validTo, hoursLeft },
  };
}

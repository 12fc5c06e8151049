import type { Finding } from "../model/findings.js";
import type { Facts } from "./facts.js";

const HOUR_MS = 3_600_000;
/** Automatic renewal has happened by then. */
const RENEWED_BY_MS = 14 * 24 * HOUR_MS;
/** Certificates that are valid for a few days are renewed later, but before their last quarter. */
const RENEWED_BY_SHARE = 1 / 4;

/** A certificate, and its host. */
interface Served {
  readonly host: string;
  readonly validFrom: string;
  readonly validTo: string;
  /** What distinguishes it from the host's other certificates. */
  readonly mark: { readonly subject: string } | { readonly region: string };
  readonly remedy: string;
}

/** Finds certificates that expire soon: the first in the issuer's chain, and those of the STS endpoints. */
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

/** An expired certificate is not trusted, which is another finding. */
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
    detail: `${host}: ${whose} expires at ${validTo}, in ${left}.`,
    remedy,
    evidence: { host, ...mark, validTo, hoursLeft },
  };
}

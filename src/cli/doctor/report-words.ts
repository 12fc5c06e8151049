/**
 * What the terminal report and the HTML report share: the parts of a diagnosis in the order in which a
 * token is used, the verdict in a sentence, what is in order, and the parts of a request's time.
 */
import { isIP } from "node:net";
import { EXPLAINED_BY } from "../../doctor/conclude.js";
import type {
  Diagnosis,
  EndpointFacts,
  IssuerFacts,
  StoreFacts,
  Timing,
  TokenReport,
} from "../../doctor/diagnosis.js";
import type { Finding, FindingId, KeyRow } from "../../model/findings.js";
import { formatDuration } from "../../runtime/time-text.js";
import { bareHostname } from "../../runtime/url-host.js";

/** The parts of a report, in the order in which a token is used. */
const GROUPS = ["token", "issuer", "key", "sts", "role", "store"] as const;

export type Group = (typeof GROUPS)[number];

/** The parts that a report of this diagnosis has: a store only if one was given. */
export function groupsOf({ facts }: Diagnosis): readonly Group[] {
  return GROUPS.filter((group) => group !== "store" || facts.store !== undefined);
}

export const GROUP_TITLES: Readonly<Record<Group, string>> = {
  token: "Token",
  issuer: "Issuer",
  key: "Key and signature",
  sts: "STS endpoint",
  role: "Role",
  store: "Shared store",
};

/** The first match wins; every other finding is about the issuer. */
const BY_ID: readonly (readonly [RegExp, Group])[] = [
  [/^sts-(?:token-expired|audience)/, "role"],
  [/^token-/, "token"],
  [/^store-/, "store"],
  [/^(?:jwks-key-|jwks-too-many-keys|signature-)/, "key"],
  [/^sts-(?:unreachable|timeout|tls|slow|region-slower)|^(?:region|endpoint|clock)-/, "sts"],
  [/^(?:sts|role|session-name|duration)-/, "role"],
];

/** The part that a finding belongs to. */
export function groupOf({ id, evidence }: Pick<Finding, "id" | "evidence">): Group {
  // Only an STS endpoint's certificate has a region.
  if (id === "certificate-expires-soon" && evidence.region !== undefined) return "sts";
  return BY_ID.find(([ids]) => ids.test(id))?.[1] ?? "issuer";
}

/** Whether a finding follows from the cause, and so disappears when the cause is fixed. */
export function followsFrom(finding: Finding, cause: Finding | null): boolean {
  return cause !== null && (EXPLAINED_BY[finding.id]?.includes(cause.id) ?? false);
}

/** Causes that can disappear without a change: an outage, a rate limit, a slow response. */
const MAY_PASS: readonly FindingId[] = [
  "issuer-dns-failure",
  "issuer-connection-refused",
  "issuer-timeout",
  "discovery-http-status",
  "discovery-slow",
  "jwks-http-status",
  "jwks-rate-limited",
  "jwks-timeout",
  "jwks-slow",
  "jwks-key-not-found",
  "sts-timeout",
  "sts-unreachable",
  "sts-verification-key",
  "sts-throttled",
  "sts-unavailable",
];

/** The verdict in a sentence that claims no more than what was checked. */
export function verdictSentence({ verdict, rootCause, facts }: Diagnosis): string {
  const isIssuerAlone = facts.token === undefined;
  const mayPass =
    rootCause !== null && rootCause.severity !== "fatal" && MAY_PASS.includes(rootCause.id);
  switch (verdict) {
    case "broken":
      if (mayPass) return "No credentials now. The cause may be temporary, and may return.";
      return isIssuerAlone
        ? "STS can't use this issuer until the cause is fixed."
        : "No credentials until the cause is fixed.";
    case "degraded":
      if (rootCause !== null && groupOf(rootCause) === "store") {
        const role = facts.assumeRole?.outcome === "ok" ? "The role can be assumed. " : "";
        return `${role}The shared store does not work.`;
      }
      return mayPass
        ? "The cause below explains intermittent failures."
        : "The cause below can keep STS from verifying tokens.";
    case "healthy":
      if (isIssuerAlone) return "No problem with this issuer was found from here.";
      return facts.assumeRole === undefined
        ? "No problem was found; AssumeRoleWithWebIdentity was not called."
        : "The role can be assumed with this token.";
  }
}

/** The kid as it is shown. A missing kid and an empty one are shown differently. */
export function kidOf({ kid }: KeyRow): string {
  return kid === undefined ? "(none)" : kid === "" ? '""' : kid;
}

/** What was checked and is in order, in a few words each. */
export function goodNews(diagnosis: Diagnosis): Readonly<Record<Group, readonly string[]>> {
  const { facts, findings } = diagnosis;
  const has = (...ids: FindingId[]) => findings.some(({ id }) => ids.includes(id));
  return {
    token: facts.token ? aboutToken(facts.token, has) : [],
    issuer: facts.issuer ? aboutIssuer(facts.issuer, has) : [],
    key: aboutKey(facts.issuer?.keys, facts.token !== undefined && !has("signature-invalid")),
    sts: [...facts.sts.flatMap(aboutEndpoint), ...aboutClock(facts.clockSkewMs)],
    role: aboutRole(diagnosis),
    store: facts.store ? aboutStore(facts.store) : [],
  };
}

/** Why a part has neither a finding nor anything in order. */
export function whyNotChecked({ facts }: Diagnosis, group: Group): string {
  const { issuer, assumeRole } = facts;
  switch (group) {
    case "issuer":
      return issuer === undefined ? "no issuer is known" : "not checked";
    case "key":
      return issuer === undefined ? "not checked" : "the issuer's keys could not be read";
    case "role":
      return assumeRole === undefined
        ? "AssumeRoleWithWebIdentity was not called"
        : "STS did not respond";
    default:
      return "not checked";
  }
}

function aboutToken(token: TokenReport, has: (...ids: FindingId[]) => boolean): string[] {
  const news: string[] = [];
  if (has("token-unreadable", "token-malformed", "token-too-large")) return news;
  news.push(
    `${token.alg ?? "no alg"} token of ${token.length ?? "?"} characters from ${token.source}`,
  );
  const { secondsLeft, lifetimeSeconds } = token;
  if (secondsLeft !== undefined && secondsLeft > 0 && !has("token-not-yet-valid")) {
    const life =
      lifetimeSeconds === undefined ? "" : ` of ${formatDuration(lifetimeSeconds * 1000)}`;
    news.push(`valid for another ${formatDuration(secondsLeft * 1000)}${life}`);
  }
  if (
    token.audience !== undefined &&
    !has("token-audience-ambiguous", "token-audience-unexpected")
  ) {
    const azp = token.azp === undefined ? "" : `, azp ${token.azp}`;
    news.push(`audience ${[token.audience].flat().join(", ")}${azp}`);
  }
  if (token.subject !== undefined) news.push(`subject ${token.subject}`);
  return news;
}

function aboutIssuer(issuer: IssuerFacts, has: (...ids: FindingId[]) => boolean): string[] {
  const news = aboutAddresses(issuer);
  const { tls } = issuer;
  if (tls?.isTrusted === true) {
    const [own] = tls.chain;
    const until =
      own === undefined ? "" : `; the issuer's is valid until ${own.validTo.slice(0, 10)}`;
    const count = tls.chain.length === 1 ? "1 certificate" : `${tls.chain.length} certificates`;
    news.push(`${tls.protocol ?? "TLS"}, trusted chain of ${count}${until}`);
  }
  for (const { document, triesMs, medianMs, maxMs } of issuer.latency) {
    const fetched = issuer.requests.find((request) => request.document === document);
    // 304 is the response to a repeated request.
    const isServed = fetched?.status === 200 || fetched?.status === 304;
    if (!isServed || has(`${document}-not-json`, `${document}-slow`)) continue;
    const tries =
      triesMs.length > 1
        ? `median of ${triesMs.length}, ${formatDuration(maxMs)} at most`
        : "one try";
    const name = document === "jwks" ? "JWKS" : "discovery document";
    news.push(`${name} ${fetched?.status} in ${formatDuration(medianMs)} (${tries})`);
  }
  return news;
}

function aboutAddresses({ addresses, dnsMs, host, dnsError }: IssuerFacts): string[] {
  // An address needs no lookup, and other lines say whether it can be reached.
  if (host === undefined || dnsError !== undefined || addresses.length === 0) return [];
  const reached = addresses.filter(({ connectMs }) => connectMs !== undefined);
  if (addresses.some(({ address }) => address === host) && reached.length === 0) return [];
  const shown = (reached.length > 0 ? reached : addresses).slice(0, 2).map((one) => one.address);
  const more =
    addresses.length > shown.length ? ` and ${addresses.length - shown.length} more` : "";
  const time = dnsMs === undefined ? "" : ` (${formatDuration(dnsMs)})`;
  const [first] = reached;
  if (first?.address === host) return [`${host} accepts connections`];
  const connected =
    first?.connectMs === undefined ? "" : `, connected in ${formatDuration(first.connectMs)}`;
  const dead = addresses.filter(({ error }) => error !== undefined);
  const unreachable =
    reached.length > 0 && dead.length > 0
      ? `; not to ${dead.map(({ address, error }) => `${address} (${error})`).join(", ")}`
      : "";
  return [`${host} resolves to ${shown.join(", ")}${more}${time}${connected}${unreachable}`];
}

function aboutKey(keys: readonly KeyRow[] | undefined, isSigned: boolean): string[] {
  if (keys === undefined || keys.length === 0) return [];
  const news = [
    `${keys.length} ${keys.length === 1 ? "key" : "keys"} published, ${keys.filter(({ usable }) => usable).length} usable`,
  ];
  const own = keys.find(({ matchesToken }) => matchesToken);
  if (own?.usable !== true) return news;
  const size = own.bits === undefined ? (own.crv ?? "") : `${own.bits} bits`;
  news.push(`the token's key ${kidOf(own)} is published: ${own.kty ?? ""} ${size}`.trim());
  if (isSigned) news.push("the signature verifies with it");
  return news;
}

function aboutEndpoint(endpoint: EndpointFacts): string[] {
  const { region, host, status, totalMs, firstByteMs, kind, isFips, isPrivate } = endpoint;
  if (status === undefined || endpoint.failedIn !== undefined) return [];
  const marks = [kind, isFips ? "FIPS" : "", isPrivate ? "private address" : ""].filter(Boolean);
  return [
    `${region}: ${host} responds in ${formatDuration(firstByteMs ?? totalMs)} (${marks.join(", ")})`,
  ];
}

function aboutClock(skewMs: number | undefined): string[] {
  if (skewMs === undefined || Math.abs(skewMs) > 60_000) return [];
  return [`clock within ${Math.max(1, Math.ceil(Math.abs(skewMs) / 1000))} s of STS's`];
}

function aboutStore(store: StoreFacts): string[] {
  const { name, place, operations, failed, violations, keyIds = [], sample = [] } = store;
  if (failed !== undefined || violations.length > 0) return [];
  const where = place === undefined ? name : `${name} (${place})`;
  const slowest = Math.max(...operations.map(({ ms }) => ms));
  const usable = sample.filter(({ problem }) => problem === undefined);
  const count = usable.reduce((sum, each) => sum + each.count, 0);
  const [first, ...others] = keyIds;
  const more = others.length > 0 ? `; ${others.join(", ")} also decrypts` : "";
  return [
    `${where}: lease, publish, read and removal work; the slowest took ${formatDuration(slowest)}`,
    ...(first === undefined ? [] : [`the key ${first} encrypts${more}`]),
    ...(count === 0
      ? []
      : [`${count === 1 ? "1 stored value" : `${count} stored values`} can be used`]),
  ];
}

function aboutRole({ facts }: Diagnosis): string[] {
  const { assumeRole } = facts;
  if (assumeRole?.outcome !== "ok") return [];
  const until =
    assumeRole.expiresAt === undefined ? "" : `, credentials until ${assumeRole.expiresAt}`;
  return [`AssumeRoleWithWebIdentity succeeded in ${formatDuration(assumeRole.ms)}${until}`];
}

/** In the order they happen. */
export const PARTS = ["dns", "connect", "tls", "wait", "read"] as const;

export type PartName = (typeof PARTS)[number];

export const PART_TITLES: Readonly<Record<PartName, string>> = {
  dns: "DNS",
  connect: "connect",
  tls: "TLS",
  wait: "wait",
  read: "read",
};

interface TimingPart {
  readonly name: PartName;
  readonly fromMs: number;
  readonly ms: number;
}

/**
 * The parts of a request, which add up to its total. A request that failed spent the rest of its time
 * in the part that it did not finish.
 */
export function partsOf(timing: Timing): TimingPart[] {
  const { dnsMs = 0, connectMs = 0, tlsMs = 0, totalMs } = timing;
  const sentMs = Math.min(totalMs, dnsMs + connectMs + tlsMs);
  const respondedMs = Math.min(totalMs, Math.max(sentMs, timing.firstByteMs ?? totalMs));
  const lengths = new Map<PartName, number>([
    ["dns", dnsMs],
    ["connect", connectMs],
    ["tls", tlsMs],
    ["wait", 0],
    ["read", totalMs - respondedMs],
  ]);
  const rest = unfinishedPart(timing);
  lengths.set(rest, (lengths.get(rest) ?? 0) + respondedMs - sentMs);
  const parts: TimingPart[] = [];
  let fromMs = 0;
  for (const [name, length] of lengths) {
    const ms = Math.min(length, totalMs - fromMs);
    if (ms > 0) parts.push({ name, fromMs, ms });
    fromMs += Math.max(0, ms);
  }
  return parts;
}

const OF_DNS = /^(?:ENOTFOUND|ENODATA|EAI_|timeout)/;

/** The part that gets the time which no other part accounts for. */
function unfinishedPart({ step, url, error, firstByteMs, ...timing }: Timing): PartName {
  // The handshakes of the network check, which run in parallel.
  if (step === "issuer-network" && timing.dnsMs === undefined) return "tls";
  const hasNoResponse = error !== undefined && firstByteMs === undefined;
  if (!hasNoResponse || url === undefined || !URL.canParse(url)) return "wait";
  const { protocol, hostname } = new URL(url);
  const isName = isIP(bareHostname({ hostname })) === 0;
  if (timing.connectMs === undefined) {
    // Where a proxy resolves names, only the error code distinguishes the two.
    const isUnresolved = timing.dnsMs === undefined && isName && OF_DNS.test(error);
    return isUnresolved ? "dns" : "connect";
  }
  return protocol === "https:" && timing.tlsMs === undefined ? "tls" : "wait";
}

/** The result of a request in a word: its status, its error, or nothing. */
export function outcomeOf({ status, error }: Timing): string {
  return error ?? (status === undefined ? "" : String(status));
}

/** Whether a request took too long for STS. Only a request with a limit can. */
export function isOverLimit({ totalMs, limitMs }: Timing): boolean {
  return limitMs !== undefined && totalMs >= limitMs;
}

import type { Diagnosis } from "../../doctor/diagnosis.js";
import type { EndpointFacts, IssuerFacts, TokenReport } from "../../doctor/facts.js";
import type { FindingId } from "../../model/findings.js";
import type { KeyRow } from "../../model/issuer-report.js";
import { formatDuration } from "../../runtime/time-text.js";
import type { Group } from "./finding-group.js";
import { kidOf } from "./key-rows.js";

/** What was looked at and found in order, in a few words each. */
export function goodNews(diagnosis: Diagnosis): Readonly<Record<Group, readonly string[]>> {
  const { facts, findings } = diagnosis;
  const has = (...ids: FindingId[]) => findings.some(({ id }) => ids.includes(id));
  return {
    token: facts.token ? aboutToken(facts.token, has) : [],
    issuer: facts.issuer ? aboutIssuer(facts.issuer, has) : [],
    key: aboutKey(facts.issuer?.keys, facts.token !== undefined && !has("signature-invalid")),
    sts: [...facts.sts.flatMap(aboutEndpoint), ...aboutClock(facts.clockSkewMs)],
    role: aboutRole(diagnosis),
  };
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
    const until = own === undefined ? "" : `, certificate until ${own.validTo.slice(0, 10)}`;
    news.push(`${tls.protocol ?? "TLS"}, chain of ${tls.chain.length} trusted${until}`);
  }
  for (const { document, triesMs, medianMs, maxMs } of issuer.latency) {
    const answered = issuer.requests.find((request) => request.document === document);
    // 304 is the answer to a second look.
    const isServed = answered?.status === 200 || answered?.status === 304;
    if (!isServed || has(`${document}-not-json`, `${document}-slow`)) continue;
    const tries =
      triesMs.length > 1
        ? `median of ${triesMs.length}, ${formatDuration(maxMs)} at most`
        : "one try";
    const name = document === "jwks" ? "JWKS" : "discovery document";
    news.push(`${name} ${answered?.status} in ${formatDuration(medianMs)} (${tries})`);
  }
  return news;
}

function aboutAddresses({ addresses, dnsMs, host, dnsError }: IssuerFacts): string[] {
  // An address needs no resolving, and whether it is reached is seen below.
  if (host === undefined || dnsError !== undefined || addresses.length === 0) return [];
  const reached = addresses.filter(({ connectMs }) => connectMs !== undefined);
  if (addresses.some(({ address }) => address === host) && reached.length === 0) return [];
  const shown = (reached.length > 0 ? reached : addresses).slice(0, 2).map((one) => one.address);
  const more =
    addresses.length > shown.length ? ` and ${addresses.length - shown.length} more` : "";
  const time = dnsMs === undefined ? "" : ` (${formatDuration(dnsMs)})`;
  const [first] = reached;
  if (first?.address === host) return [`${host} takes connections`];
  const connected =
    first?.connectMs === undefined ? "" : `, connected in ${formatDuration(first.connectMs)}`;
  const dead = addresses.filter(({ error }) => error !== undefined);
  const besides =
    reached.length > 0 && dead.length > 0
      ? `; not to ${dead.map(({ address, error }) => `${address} (${error})`).join(", ")}`
      : "";
  return [`${host} resolves to ${shown.join(", ")}${more}${time}${connected}${besides}`];
}

function aboutKey(keys: readonly KeyRow[] | undefined, isSigned: boolean): string[] {
  if (keys === undefined || keys.length === 0) return [];
  const news = [
    `${keys.length} ${keys.length === 1 ? "key" : "keys"} published, ${keys.filter(({ usable }) => usable).length} usable`,
  ];
  const own = keys.find(({ matchesToken }) => matchesToken);
  if (own?.usable !== true) return news;
  const size = own.bits === undefined ? (own.crv ?? "") : `${own.bits} bits`;
  news.push(`the token's key ${kidOf(own)} is there: ${own.kty ?? ""} ${size}`.trim());
  if (isSigned) news.push("the signature verifies with it");
  return news;
}

function aboutEndpoint(endpoint: EndpointFacts): string[] {
  const { region, host, status, totalMs, firstByteMs, kind, isFips, isPrivate } = endpoint;
  if (status === undefined || endpoint.failedIn !== undefined) return [];
  const marks = [kind, isFips ? "FIPS" : "", isPrivate ? "private address" : ""].filter(Boolean);
  return [
    `${region}: ${host} answers in ${formatDuration(firstByteMs ?? totalMs)} (${marks.join(", ")})`,
  ];
}

function aboutClock(skewMs: number | undefined): string[] {
  if (skewMs === undefined || Math.abs(skewMs) > 60_000) return [];
  return [`clock within ${Math.max(1, Math.ceil(Math.abs(skewMs) / 1000))} s of STS's`];
}

function aboutRole({ facts }: Diagnosis): string[] {
  const { assumeRole } = facts;
  if (assumeRole?.outcome !== "ok") return [];
  const until =
    assumeRole.expiresAt === undefined ? "" : `, credentials until ${assumeRole.expiresAt}`;
  return [`AssumeRoleWithWebIdentity worked in ${formatDuration(assumeRole.ms)}${until}`];
}

import { describe, expect, test } from "vitest";
import { certificateFindings } from "../../src/doctor/conclude.js";
import {
  addressFindings,
  issuerFindings,
  unreadFindings,
} from "../../src/doctor/conclude-issuer.js";
import { storeFindings } from "../../src/doctor/conclude-store.js";
import { stsFindings } from "../../src/doctor/conclude-sts.js";
import type { EndpointFacts, Facts, IssuerFacts, StoreFacts } from "../../src/doctor/diagnosis.js";
import { CLAIMS } from "../support/make-token.js";
import { one, PROVIDER_ROWS, type TextRow } from "./finding-texts.js";
import { sampleEndpoint, sampleFacts, sampleIssuer } from "./sample-facts.js";

const endpoint = (changes: Partial<EndpointFacts> = {}) =>
  sampleEndpoint({ host: "sts.example", ...changes });

const facts = (changes: Partial<Facts> = {}) =>
  sampleFacts({
    elapsedMs: 9_000,
    settings: [{ name: "region", value: "eu-west-1", source: "option" }],
    sts: [endpoint()],
    ...changes,
  });

const issuer = (changes: Partial<IssuerFacts> = {}) =>
  sampleIssuer({ issuer: "https://id.example", host: "id.example", ...changes });

const tls = (offers: object, rest: object = {}) => ({
  ...{ offers, isTrusted: true, chain: [] },
  ...rest,
});

const address = (changes: object) => ({
  ...{ address: "203.0.113.7", family: 4 as const, isPublic: true },
  ...changes,
});

const store = (changes: Partial<StoreFacts>) => {
  const sound = { name: "redis", place: "shop", operations: [], violations: [] };
  return storeFindings(facts({ store: { ...sound, ...changes } }));
};

/** An operation that failed with these words, or with this code. */
const failed = (message: string, code?: string) =>
  store({ failed: { operation: "claim", code, message } });

const CERTIFICATE = { validFrom: "2025-10-10T00:00:00.000Z", validTo: "2026-01-05T00:00:00.000Z" };

/** The findings that are the doctor's own. */
const DOCTOR_ROWS: readonly TextRow[] = [
  [
    "sts-slow",
    () => one(stsFindings(facts({ sts: [endpoint({ firstByteMs: 2_500 })] }))),
    /responds slowly.*2500 ms/,
    /^Network: check the route.*Workload: /,
    { ms: 2_500 },
  ],
  [
    "sts-region-slower",
    () =>
      one(
        stsFindings(
          facts({ sts: [endpoint({ firstByteMs: 900 }), endpoint({ region: "eu-north-1" })] }),
        ),
      ),
    /less than half the time.*eu-west-1.*eu-north-1/,
    /^Workload: if the workload stays where it is, list eu-north-1 first/,
    { fasterRegion: "eu-north-1" },
  ],
  [
    "endpoint-global",
    () => one(stsFindings(facts({ sts: [endpoint({ kind: "global" })] }))),
    /global STS endpoint.*sts\.example/,
    /^Workload: set AWS_STS_REGIONAL_ENDPOINTS=regional/,
    { host: "sts.example" },
  ],
  [
    "region-defaulted",
    () => one(stsFindings(facts({ settings: [{ name: "region", source: "default" }] }))),
    /No region is configured.*eu-west-1 is used/,
    /^Workload: set AWS_REGION/,
    { region: "eu-west-1" },
  ],
  [
    "clock-skew",
    () => one(stsFindings(facts({ clockSkewMs: 90_000 }))),
    /clock/,
    /NTP/,
    { skewMs: 90_000 },
  ],
  [
    "sts-unreachable",
    () => one(stsFindings(facts({ sts: [endpoint({ failedIn: "dns", error: "ENOTFOUND" })] }))),
    /does not resolve.*sts\.example.*ENOTFOUND/,
    /^Network: .*private DNS.*Workload: make sure that the region eu-west-1/,
    { phase: "dns" },
  ],
  [
    "sts-tls-untrusted",
    () =>
      one(stsFindings(facts({ sts: [endpoint({ failedIn: "tls", error: "CERT_HAS_EXPIRED" })] }))),
    /not trusted.*its certificate has expired/,
    /^Network: .*NODE_EXTRA_CA_CERTS/,
    { error: "CERT_HAS_EXPIRED" },
  ],
  [
    "certificate-expires-soon",
    () => one(certificateFindings(facts({ sts: [endpoint({ certificate: CERTIFICATE })] }))),
    /expires soon.*sts\.example.*2026-01-05/,
    /^Network: have the operator of this endpoint/,
    { region: "eu-west-1" },
  ],
  [
    "issuer-connection-refused",
    () =>
      one(
        addressFindings(
          issuer({
            addresses: [
              address({ connectMs: 1 }),
              address({ address: "203.0.113.8", error: "ECONNREFUSED" }),
            ],
          }),
        ),
      ),
    /accept no connections.*203\.0\.113\.8/,
    /^IdP: restore the servers at these addresses/,
    {},
  ],
  [
    "issuer-tls13-only",
    () =>
      one(
        issuerFindings([], facts({ issuer: issuer({ tls: tls({ tls12: false, tls13: true }) }) })),
      ),
    /only TLS 1\.3.*refuses TLS 1\.2/,
    /^IdP: offer TLS 1\.2/,
    {},
  ],
  [
    "issuer-timeout",
    () => one(unreadFindings(facts({ unfinished: ["issuer-documents"], issuer: issuer() }))),
    /before the time limit of this run.*9000 ms/,
    /^IdP and network: .*Workload: run the doctor again/,
    { ms: 9_000 },
  ],
  [
    "store-access-denied",
    () => one(failed("WRONGPASS invalid username-password pair or user is disabled.")),
    /rejects the user name or the password.*The redis store \(shop\): claiming a lease failed/,
    /^Workload: correct the user name/,
    { operation: "claim" },
  ],
  [
    "store-access-denied",
    () => one(failed("NOPERM this user has no permissions to run the 'eval' command")),
    /lacks permissions that a store needs/,
    /^Store: allow this user EVAL/,
    {},
  ],
  [
    "store-access-denied",
    () => one(failed("EACCES: permission denied, mkdir '/var/a'", "EACCES")),
    /may not use the store's directory/,
    /^Workload: give the directory to the user/,
    { code: "EACCES" },
  ],
  [
    "store-not-writable",
    () => one(failed("READONLY You can't write against a read only replica.")),
    /read-only replica/,
    /^Workload: connect to the primary/,
    {},
  ],
  [
    "store-not-writable",
    () => one(failed("MISCONF Redis is configured to save RDB snapshots")),
    /refuses to write/,
    /^Store: give Redis memory and disk space/,
    {},
  ],
  [
    "store-not-writable",
    () => one(failed("ENOSPC: no space left on device, write", "ENOSPC")),
    /disk of the store's directory is full/,
    /^Workload: free space/,
    { code: "ENOSPC" },
  ],
  [
    "store-not-writable",
    () => one(failed("EROFS: read-only file system, open '/a'", "EROFS")),
    /read-only file system/,
    /^Workload: choose a directory on a writable volume/,
    {},
  ],
  [
    "store-directory-unsafe",
    () => one(failed("/run/a is open to other users; run: chmod go-rwx /run/a")),
    /not private to this user.*chmod go-rwx/,
    /^Workload: choose a directory that only this user can use/,
    {},
  ],
  [
    "store-unreachable",
    () => one(failed("connect ECONNREFUSED 127.0.0.1:6379", "ECONNREFUSED")),
    /does not respond.*ECONNREFUSED.*each process calls STS itself/,
    /^Network: let this machine connect.*Store: make sure/,
    { code: "ECONNREFUSED" },
  ],
  [
    "store-unreachable",
    () => one(failed("LOADING Redis is loading the dataset in memory")),
    /not ready/,
    /^Store: bring Redis back/,
    {},
  ],
  [
    "store-broken",
    () => one(failed("an error of an unknown kind")),
    /The shared store fails/,
    /^Store: find the cause/,
    {},
  ],
  [
    "store-broken",
    () => one(store({ violations: ["it did not extend a lease that was held"] })),
    /breaks its contract.*did not extend a lease/,
    /^Store: let reads go to the server.*testCredentialStore/,
    {},
  ],
  [
    "store-slow",
    () => one(store({ operations: [{ operation: "read", ms: 251 }] })),
    /too slowly.*251 ms; a provider stops waiting after 250 ms/,
    /^Network: place the store near/,
    { ms: 251 },
  ],
  [
    "store-key-unknown",
    () => one(store({ keyIds: ["a", "b"], sample: [{ keyId: "c", count: 2, problem: "…" }] })),
    /2 stored values can't be decrypted, because the key c.*\(a, b; the first encrypts\)/,
    /^Workload: add the key c behind/,
    { keyId: "c", count: 2 },
  ],
  [
    "store-key-unknown",
    () => one(store({ keyIds: ["a"], sample: [{ keyId: "a", count: 1, problem: "…" }] })),
    /different key of the same ID.*1 stored value of the key a/,
    /^Workload: give every process the same key a/,
    {},
  ],
  [
    "store-value-unusable",
    () => one(store({ sample: [{ count: 1, problem: "it is not JSON" }] })),
    /1 stored value can't be used: it is not JSON/,
    /^Store: find out what else writes there/,
    {},
  ],
  [
    "store-clock-skew",
    () => one(store({ clockSkewMs: -61_000 })),
    /clock of the shared store is wrong.*61 s behind/,
    /^Store: synchronize/,
    {},
  ],
  [
    "store-clock-skew",
    () => one(store({ name: "file", place: "/mnt/a", clockSkewMs: 3_000 })),
    /network file system.*\/mnt\/a differs/,
    /^Workload: choose a directory on a local disk/,
    {},
  ],
];

const TABLE = [...PROVIDER_ROWS, ...DOCTOR_ROWS];

const AVOIDED =
  /\b(tell|tells|told|takes? for|give up|gives up|nobody|somebody|whoever|anybody|to be had|all the same|undefined|NaN)\b/;

describe("a finding's texts", () => {
  test.each(TABLE)(
    "of %s say what was seen and who must change what: %#",
    (id, make, said, who, seen) => {
      const finding = make();
      expect(finding.id).toBe(id);
      expect(`${finding.title} ${finding.detail}`).toMatch(said);
      expect(finding.remedy).toMatch(who);
      expect(finding.evidence).toMatchObject(seen);
    },
  );

  test.each(TABLE)("of %s are whole sentences in plain words: %#", (_, make) => {
    const { title, detail, remedy } = make();
    for (const text of [title, detail, remedy]) {
      expect(text).toMatch(/^\S.{9,}\.$/s);
      expect(text).not.toMatch(AVOIDED);
    }
    expect(remedy).toMatch(/^(Workload|IdP|AWS account|Network|Store|IdP and network): /);
  });

  test("of a token never show its subject", () => {
    for (const [, make] of TABLE) expect(JSON.stringify(make())).not.toContain(CLAIMS.sub);
  });
});

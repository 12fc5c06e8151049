import { ENV, healthy, settingsFor } from "../support/matrix-world.js";
import { startOidcProvider } from "../support/oidc-provider-issuer.js";
import { listSharedFiles, readSharedJson } from "../support/shared-data.js";
import type { Row } from "./matrix-row.js";

type Json = Readonly<Record<string, unknown>>;

const LEFT_OUT = "the doctor's check of documents that real identity providers served";

/** What a real provider published, served here with the token's key among its own. */
const REAL_ROWS: readonly Row[] = listSharedFiles("idp", LEFT_OUT)
  .filter((file) => file.endsWith("-discovery.json"))
  .map((file) => file.replace(/-discovery\.json$/, ""))
  .map((provider) => ({
    name: `the documents of ${provider}`,
    async build(site) {
      const { idp, options } = await healthy(site);
      const discovery = readSharedJson(`idp/${provider}-discovery.json`, LEFT_OUT) as Json;
      const jwks = readSharedJson(`idp/${provider}-jwks.json`, LEFT_OUT) as { keys: Json[] };
      idp.setDiscovery(({ issuer, jwks_uri }) => ({ ...discovery, issuer, jwks_uri }));
      idp.setJwks((own) => ({ keys: [...jwks.keys, ...(own.keys as Json[])] }));
      return { options };
    },
    cause: null,
    verdict: "healthy",
  }));

export const HEALTHY_ROWS: readonly Row[] = [
  {
    name: "the local IdP and STS",
    build: async (site) => ({ options: (await healthy(site)).options }),
    cause: null,
    verdict: "healthy",
  },
  {
    name: "the local IdP and STS, with RSA",
    build: async (site) => ({
      options: (await healthy(site, { idp: { algorithm: "RS256" } })).options,
    }),
    cause: null,
    verdict: "healthy",
  },
  {
    name: "a token in a variable that no SDK reads",
    async build(site) {
      const { idp, sts } = await healthy(site);
      const { token: _, ...options } = settingsFor(sts, "");
      const env = { ...ENV, AWS_WEB_IDENTITY_TOKEN: await idp.issueToken() };
      return { options, runtime: { env } };
    },
    cause: null,
    verdict: "healthy",
    also: ["token-variable-unread"],
  },
  {
    name: "a token that is about to expire",
    async build(site) {
      const { idp, sts } = await healthy(site);
      return { options: settingsFor(sts, await idp.issueToken({ expiresInSeconds: 30 })) };
    },
    cause: null,
    verdict: "healthy",
    also: ["token-expires-soon"],
  },
  {
    name: "a JWKS that must not be cached",
    async build(site) {
      const headers = { "cache-control": "no-cache" };
      return { options: (await healthy(site, { idp: { headers } })).options };
    },
    cause: null,
    verdict: "healthy",
    also: ["jwks-not-cacheable"],
  },
  {
    name: "oidc-provider",
    async build(site) {
      const idp = site.keep(await startOidcProvider("system:serviceaccount:default:app"));
      const sts = await site.sts({ providers: [{ issuer: idp.issuer }] });
      return { options: settingsFor(sts, await idp.mint()) };
    },
    cause: null,
    verdict: "healthy",
  },
  ...REAL_ROWS,
];

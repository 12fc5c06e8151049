import type { WebIdentityInit } from "./options.js";

type TokenOption = "token" | "webIdentityToken" | "webIdentityTokenFile";

/** A record, so that the compiler notices a name that is left out. */
const OPTIONS: Readonly<Record<keyof WebIdentityInit | "roleArn" | TokenOption, true>> = {
  token: true,
  webIdentityToken: true,
  webIdentityTokenFile: true,
  roleArn: true,
  roleSessionName: true,
  durationSeconds: true,
  policy: true,
  policyArns: true,
  providerId: true,
  clientConfig: true,
  clientPlugins: true,
  roleAssumerWithWebIdentity: true,
  parentClientConfig: true,
  logger: true,
  retry: true,
  attemptTimeoutMs: true,
  failoverRegions: true,
  hedgeAfterMs: true,
  region: true,
  preflight: true,
  refresh: true,
  serveExpired: true,
  retryAccessDenied: true,
  validateToken: true,
  onEvent: true,
  signal: true,
  store: true,
};

/**
 * Refuses a name that is spelt like an option but for its case (`RoleArn`, as in a request to STS),
 * or that names another factory's token. Left alone, the environment's role or token would be used
 * in its place, or no session policy, silently. Any other name may be an option of another library
 * that shares the object.
 *
 * @throws TypeError that names it.
 */
export function checkNames(init: object, foreign: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(init)) {
    if (value === undefined) continue;
    const factory = foreign[name];
    if (factory !== undefined) {
      throw new TypeError(`Unknown option \`${name}\`; it is one of ${factory}().`);
    }
    if (name in OPTIONS) continue;
    const meant = Object.keys(OPTIONS).find(
      (option) => option.toLowerCase() === name.toLowerCase(),
    );
    if (meant !== undefined) {
      throw new TypeError(`Unknown option \`${name}\`; did you mean \`${meant}\`?`);
    }
  }
}

import type { TokenSource } from "../model/token-source.js";
import { requireFunction, requireInit, requireString } from "../runtime/validators.js";
import { createProvider } from "./create-provider.js";
import { checkNames } from "./option-names.js";
import type { WebIdentityInit } from "./options.js";
import type { WebIdentityProvider } from "./web-identity-provider.js";

/** Init of {@link fromWebIdentity}. */
export interface FromWebIdentityInit extends WebIdentityInit {
  /** Called for every attempt, so that a retry never carries a token that died while it waited. */
  readonly token: TokenSource;
  /** ARN of the role to assume. */
  readonly roleArn: string;
}

/**
 * Credentials from tokens that a function mints: GitHub Actions, Google, Vault, your own IdP.
 *
 * @throws TypeError for an option that can never work.
 *
 * @example
 * ```ts
 * import { readFile } from "node:fs/promises";
 * import { fromWebIdentity } from "resilient-sts";
 *
 * const credentials = fromWebIdentity({
 *   token: ({ signal }) => readFile("/run/oidc/token", { encoding: "utf8", signal }),
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 * });
 * ```
 */
export function fromWebIdentity(init: FromWebIdentityInit): WebIdentityProvider {
  requireInit("fromWebIdentity", init);
  checkNames(init, { webIdentityToken: "fromWebToken", webIdentityTokenFile: "fromTokenFile" });
  requireFunction("token", init.token);
  requireString("roleArn", init.roleArn);
  const { token, roleArn, roleSessionName } = init;
  return createProvider(
    () => ({
      source: token,
      sourceName: token.name ? `the token source ${token.name}()` : "the token source",
      roleArn,
      roleSessionName,
      marks: {},
    }),
    init,
  );
}

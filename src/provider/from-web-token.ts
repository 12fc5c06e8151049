import { requireInit, requireString } from "../runtime/validators.js";
import { createProvider } from "./create-provider.js";
import { checkNames } from "./option-names.js";
import type { WebIdentityInit } from "./options.js";
import type { WebIdentityProvider } from "./web-identity-provider.js";

/** Init of {@link fromWebToken}: that of the SDK's, and the resilience options. */
export interface FromWebTokenInit extends WebIdentityInit {
  /** The OIDC token itself, or with `providerId` an OAuth 2.0 access token. */
  readonly webIdentityToken: string;
  /** ARN of the role to assume. */
  readonly roleArn: string;
}

/**
 * Credentials from one given token. When it expires no more credentials can be had: for a service
 * that lives longer, use {@link fromTokenFile} or `fromWebIdentity`. A drop-in for the SDK's
 * `fromWebToken`.
 *
 * @throws TypeError for an option that can never work.
 *
 * @example
 * ```ts
 * import { fromWebToken } from "resilient-sts";
 *
 * const credentials = fromWebToken({
 *   webIdentityToken: process.env.CIRCLE_OIDC_TOKEN_V2 ?? "",
 *   roleArn: "arn:aws:iam::123456789012:role/deploy",
 * });
 * ```
 */
export function fromWebToken(init: FromWebTokenInit): WebIdentityProvider {
  requireInit("fromWebToken", init);
  checkNames(init, { token: "fromWebIdentity" });
  requireString("webIdentityToken", init.webIdentityToken);
  requireString("roleArn", init.roleArn);
  const { webIdentityToken, roleArn, roleSessionName } = init;
  const source = Object.assign(async () => webIdentityToken, { renewable: false });
  return createProvider(
    () => ({
      source,
      sourceName: "webIdentityToken",
      roleArn,
      roleSessionName,
      marks: {},
    }),
    init,
  );
}

import { WebIdentityError } from "../model/errors.js";
import { readVariable } from "../runtime/environment.js";
import { fromFile } from "../runtime/token-file.js";
import { checkString, requireInit } from "../runtime/validators.js";
import { createProvider } from "./create-provider.js";
import type { Identity } from "./identity.js";
import { checkNames } from "./option-names.js";
import type { WebIdentityInit } from "./options.js";
import { processRuntime, type Runtime } from "./runtime.js";
import type { WebIdentityProvider } from "./web-identity-provider.js";

/** Init of {@link fromTokenFile}: that of the SDK's, and the resilience options. */
export interface FromTokenFileInit extends WebIdentityInit {
  /**
   * Path of the file that holds the OIDC token; read anew for every attempt.
   * @default AWS_WEB_IDENTITY_TOKEN_FILE
   */
  readonly webIdentityTokenFile?: string | undefined;
  /** ARN of the role to assume. @default AWS_ROLE_ARN */
  readonly roleArn?: string | undefined;
}

/**
 * Credentials from the OIDC token in a file, by option or environment: EKS (IRSA), and whoever else
 * sets `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`. A drop-in for the SDK's `fromTokenFile`.
 *
 * @throws TypeError for an option that can never work.
 *
 * @example
 * ```ts
 * import { S3Client } from "@aws-sdk/client-s3";
 * import { fromTokenFile } from "resilient-sts";
 *
 * const s3 = new S3Client({ credentials: fromTokenFile() });
 * ```
 */
export function fromTokenFile(init: FromTokenFileInit = {}): WebIdentityProvider {
  requireInit("fromTokenFile", init);
  checkNames(init, { token: "fromWebIdentity", webIdentityToken: "fromWebToken" });
  checkString("webIdentityTokenFile", init.webIdentityTokenFile);
  checkString("roleArn", init.roleArn);
  return createProvider(() => tokenFileIdentity(init, processRuntime), init);
}

/** @internal The same in a world of a test's making. */
export function tokenFileIdentity(init: FromTokenFileInit, { env, clock }: Runtime): Identity {
  const fromEnvironment = readVariable(env, "AWS_WEB_IDENTITY_TOKEN_FILE");
  const file = init.webIdentityTokenFile ?? fromEnvironment;
  const roleArn = init.roleArn ?? readVariable(env, "AWS_ROLE_ARN");
  if (file === undefined || roleArn === undefined) throw notConfigured(file, roleArn);
  return {
    source: fromFile(file, clock),
    sourceName: `the token file ${file}`,
    roleArn,
    roleSessionName: init.roleSessionName ?? readVariable(env, "AWS_ROLE_SESSION_NAME"),
    marks: file === fromEnvironment ? { CREDENTIALS_ENV_VARS_STS_WEB_ID_TOKEN: "h" } : {},
  };
}

/**
 * A token file without a role is a mistake, not an absence: moving on would silently run the
 * workload as somebody else, so that only a missing token file lets a chain try its next link.
 */
function notConfigured(file: string | undefined, roleArn: string | undefined): WebIdentityError {
  const missing = [
    ...(file === undefined
      ? [["token file", "webIdentityTokenFile (or AWS_WEB_IDENTITY_TOKEN_FILE)"]]
      : []),
    ...(roleArn === undefined ? [["role", "roleArn (or AWS_ROLE_ARN)"]] : []),
  ] as const;
  const nouns = missing.map(([noun]) => noun).join(" and no ");
  const options = missing.map(([, option]) => option).join(" and ");
  return new WebIdentityError({
    code: "ERR_NOT_CONFIGURED",
    message: `Web identity configuration not specified: there is no ${nouns}.`,
    hint: `Workload: set ${options}; on EKS, annotate the service account with eks.amazonaws.com/role-arn and restart the pod.`,
    tryNextLink: file === undefined,
  });
}

/**
 * Credential providers for the AWS SDK for JavaScript v3 that get AWS credentials from an OIDC token:
 * {@link fromTokenFile}, {@link fromWebIdentity} and {@link fromWebToken}. They retry, refresh and
 * report what failed; {@link checkIssuer} checks an identity provider.
 *
 * @module resilient-sts
 */

export type { WebIdentityErrorCode } from "./model/errors.js";
export { isWebIdentityError, WebIdentityError } from "./model/errors.js";
export type {
  AttemptFailedEvent,
  CredentialsRefreshedEvent,
  ExpiredServedEvent,
  PreflightFinishedEvent,
  RefreshFailedEvent,
  RegionDefaultedEvent,
  RegionSwitchedEvent,
  StoreFailedEvent,
  StsDateRejectedEvent,
  TokenLoadedEvent,
  WebIdentityEvent,
} from "./model/events.js";
export type { AttemptRecord, Verdict } from "./model/failure.js";
export type {
  DocumentName,
  Finding,
  FindingId,
  IssuerReport,
  KeyRow,
  RequestTiming,
  Severity,
} from "./model/findings.js";
export type { TokenFacts } from "./model/jwt.js";
export type { TokenSource, TokenSourceContext } from "./model/token-source.js";
export {
  type CheckIssuerInput,
  type CheckIssuerOptions,
  checkIssuer,
} from "./preflight/issuer-check.js";
export {
  type FromTokenFileInit,
  type FromWebIdentityInit,
  type FromWebTokenInit,
  fromTokenFile,
  fromWebIdentity,
  fromWebToken,
} from "./provider/create-provider.js";
export type {
  PreflightMode,
  PreflightOptions,
  RefreshOptions,
  ResilienceOptions,
  RetryOptions,
  WebIdentityInit,
} from "./provider/options.js";
export { refreshOnExpiredToken } from "./provider/refresh-on-expired-token.js";
export type {
  PreflightStatus,
  ProviderProperties,
  ProviderStatus,
  RegionStatus,
  StoreStatus,
  WebIdentityProvider,
} from "./provider/web-identity-provider.js";
export type { AssumeRoleInput, AttributedCredentials } from "./sts/assume-role.js";
export type { CallerClientConfig, ClientPlugin } from "./sts/target.js";

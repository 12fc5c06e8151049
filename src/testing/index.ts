/**
 * A local identity provider and a local STS with faults on demand, for tests of services that get
 * credentials from an OIDC token, and the contract tests of a credential store.
 *
 * @module resilient-sts/testing
 */

/*
 * `idp/` is the identity provider, `sts/` the STS; both run on `loopback-server.ts` and get their
 * faults from `fault-script.ts`. `credential-store-tests.ts` holds the contract tests. In `src`, only
 * the command line may import this folder.
 */

export {
  type CredentialStoreTests,
  testCredentialStore,
} from "./credential-store-tests.js";
export type { FaultRule, RateLimit } from "./fault-script.js";
export type { IdpFault, IdpFaultRule } from "./idp/idp-fault.js";
export type {
  AddKeyOptions,
  IdpDocumentName,
  RotateKeysOptions,
  SigningAlgorithm,
  TokenRequest,
} from "./idp/issuer.js";
export type { IdpDocument, IdpRequest, LocalIdp, LocalIdpOptions } from "./idp/local-idp.js";
export { startLocalIdp } from "./idp/local-idp.js";
export type { LocalServer, TlsIdentity } from "./loopback-server.js";
export type { RoleTrust, TrustedAction, TrustedProvider, TrustedRole } from "./sts/account.js";
export type {
  LocalSts,
  LocalStsOptions,
  ResponseField,
  ResponseShape,
  StsResponseOptions,
} from "./sts/local-sts.js";
export { startLocalSts } from "./sts/local-sts.js";
export type { GrantedSession, StsRequest } from "./sts/query-protocol.js";
export type {
  StsFault,
  StsFaultOptions,
  StsTransportFault,
  StsVerdictFault,
} from "./sts/sts-fault.js";
export type { SentToken } from "./sts/web-identity-token.js";
export type { WireError } from "./sts/wire-error.js";

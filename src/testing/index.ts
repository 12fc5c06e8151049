export type { FaultRule } from "./fault-script.js";
export type { IdpDocument, IdpDocumentName } from "./idp/idp-document.js";
export type { IdpFault, IdpFaultRule } from "./idp/idp-fault.js";
export type { IdpRequest, LocalIdp, LocalIdpOptions } from "./idp/idp-interface.js";
export type { TokenRequest } from "./idp/issue-token.js";
export type { AddKeyOptions, RotateKeysOptions } from "./idp/key-ring.js";
export { startLocalIdp } from "./idp/local-idp.js";
export type { SigningAlgorithm } from "./idp/signing-key.js";
export type { LocalServer, TlsIdentity } from "./loopback-server.js";
export type { RateLimit } from "./rate-limit.js";
export {
  type CredentialStoreTests,
  testCredentialStore,
} from "./stores/credential-store-tests.js";
export type { AnswerField, AnswerShape } from "./sts/assume-role-answer.js";
export type { TokenFacts } from "./sts/json-web-token.js";
export { startLocalSts } from "./sts/local-sts.js";
export type { GrantedSession, StsRequest } from "./sts/request-log.js";
export type {
  StsFault,
  StsFaultOptions,
  StsTransportFault,
  StsVerdictFault,
} from "./sts/sts-fault.js";
export type { LocalSts, LocalStsOptions, StsAnswerOptions } from "./sts/sts-interface.js";
export type { RoleTrust, TrustedAction, TrustedProvider, TrustedRole } from "./sts/trust.js";
export type { WireError } from "./sts/wire-error.js";

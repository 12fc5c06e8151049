/**
 * The diagnosis that `resilient-sts doctor` prints, as an object: why AssumeRoleWithWebIdentity
 * fails, and who must change what.
 *
 * @module resilient-sts/doctor
 */

export type { StoredSample, StoreOperation } from "../model/credential-store.js";
export type {
  DocumentName,
  Finding,
  FindingId,
  KeyRow,
  RequestTiming,
  Severity,
} from "../model/findings.js";
export type { RejectedDate } from "../sts/server-clock.js";
export { diagnose } from "./diagnose.js";
export type {
  AddressFacts,
  AssumeRoleFacts,
  CertificateFacts,
  Diagnosis,
  EndpointFacts,
  Facts,
  IssuerFacts,
  Latency,
  Progress,
  Setting,
  Step,
  StoreFacts,
  Timing,
  TlsFacts,
  TokenReport,
} from "./diagnosis.js";
export type { DiagnoseOptions } from "./options.js";

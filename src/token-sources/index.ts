/**
 * Token sources: functions that get the OIDC token from the platform that issued it, for the `token`
 * option of `fromWebIdentity()`. {@link detectTokenSource} finds the one of this platform.
 *
 * @module resilient-sts/token-sources
 */

export {
  isTokenSourceError,
  type TokenSource,
  type TokenSourceContext,
  TokenSourceError,
  type TokenSourceErrorCode,
  type TokenSourceErrorInit,
} from "../model/token-source.js";
export {
  type AzureManagedIdentityInit,
  type AzureWorkloadIdentityFileInit,
  azureManagedIdentity,
  azureWorkloadIdentityFile,
} from "./azure.js";
export {
  type ClientAuthMethod,
  type ClientCredentialsInit,
  clientCredentials,
} from "./client-credentials.js";
export { type DetectTokenSourceInit, detectTokenSource } from "./detect.js";
export { type FlyInit, fly } from "./fly.js";
export { type GithubActionsInit, githubActions } from "./github-actions.js";
export { type GoogleMetadataInit, googleMetadata } from "./google-metadata.js";
export { type KubernetesTokenRequestInit, kubernetesTokenRequest } from "./kubernetes.js";
export { type BuildkiteInit, buildkite, type CircleciInit, circleci } from "./program-sources.js";
export type { PlatformTokenSource, TokenSourceInit } from "./source.js";
export type { TokenSourceName } from "./source-names.js";
export { type SpiffeInit, spiffe } from "./spiffe.js";
export {
  type BitbucketInit,
  bitbucket,
  type GitlabInit,
  gitlab,
  type TerraformCloudInit,
  terraformCloud,
} from "./variable-sources.js";
export { type VercelInit, vercel } from "./vercel.js";

/**
 * What is used of the AWS SDK at run time. Loaded only by `loadSdk()`, and only once a call is due:
 * loading it takes longer than everything else in a cold start.
 */
export { AssumeRoleWithWebIdentityCommand, STSClient } from "@aws-sdk/client-sts";
export { partition } from "@aws-sdk/core/client";
export { loadConfig, resolveRegionConfig } from "@smithy/core/config";

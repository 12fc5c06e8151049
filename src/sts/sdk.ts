/**
 * What a call needs that takes long to load: everything used of the AWS SDK at run time, and Node's
 * HTTP agents. Loaded only by `loadSdk()`, once a call is due.
 */
export { AssumeRoleWithWebIdentityCommand, STSClient } from "@aws-sdk/client-sts";
export { partition } from "@aws-sdk/core/client";
export { loadConfig } from "@smithy/core/config";
export { quietConnections } from "./connections.js";

/**
 * Loads the AWS SDK, which takes longer than everything else in a cold start. The package's ES module
 * build has a quicker way in this place (tsup.config.ts).
 */
export function loadSdk() {
  return import("./sdk.js");
}

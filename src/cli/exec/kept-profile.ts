import { type Environment, readVariable } from "../../runtime/environment.js";
import { safeText } from "../../runtime/redact.js";
import { CREDENTIAL_KEYS, profileReader } from "../../sts/shared-config.js";
import { wrongUsage } from "../command-failure.js";

/** Every SDK reads these from a profile before it asks an endpoint. */
const WINNING_KEYS = [...CREDENTIAL_KEYS, "role_arn"] as const;

/**
 * Makes sure that the profiles which the child may use hold no credentials. Theirs would win over the
 * endpoint, and nobody would notice until they end.
 *
 * @throws CommandFailure that names the profile and the key.
 */
export async function checkKeptProfile(env: Environment): Promise<void> {
  const named = [readVariable(env, "AWS_PROFILE"), readVariable(env, "AWS_DEFAULT_PROFILE")];
  const profiles = new Set(named.map((name) => name ?? "default"));
  for (const profile of profiles) {
    const read = profileReader(profile);
    for (const key of WINNING_KEYS) {
      const value = await read(key).catch(() => undefined);
      if (value === undefined) continue;
      throw wrongUsage(
        `the profile ${safeText(profile, 60)} has ${key}, and so credentials that would win over the endpoint; leave out --keep-config, or set AWS_PROFILE to a profile without it`,
      );
    }
  }
}

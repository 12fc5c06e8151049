/*
 * GitHub Actions: a token lives for five minutes, so one is minted for every attempt. The job needs
 * `permissions: { id-token: write }`.
 */
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromWebIdentity, type TokenSource } from "resilient-sts";

const githubToken: TokenSource = async ({ signal, attempt }) => {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: address, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } =
    process.env;
  if (!address || !bearer) throw new Error("the job lacks `permissions: { id-token: write }`");

  // The address has a query already.
  const url = new URL(address);
  url.searchParams.set("audience", "sts.amazonaws.com");
  const response = await fetch(url, { headers: { authorization: `Bearer ${bearer}` }, signal });
  // Whatever a source throws is an attempt that failed: it is asked twice more, after a wait.
  if (!response.ok) throw new Error(`GitHub answered ${response.status} (attempt ${attempt})`);
  const { value } = (await response.json()) as { value: string };
  return value;
};

await using credentials = fromWebIdentity({
  token: githubToken,
  roleArn: process.env.AWS_ROLE_ARN ?? "arn:aws:iam::123456789012:role/deploy",
  roleSessionName: `run-${process.env.GITHUB_RUN_ID ?? "local"}`,
  onEvent(event) {
    // A notice in the log of the job and in its summary.
    if (event.type === "attempt.failed") console.log(`::notice::${event.message}`);
  },
});

const sts = new STSClient({ credentials });
const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
console.log(`This job is ${Arn}`);
sts.destroy();

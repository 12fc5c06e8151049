/*
 * A job in GitHub Actions. A token is valid for five minutes, so each attempt requests a new one. The job
 * needs `permissions: { id-token: write }`. With `detectTokenSource()` in place of `githubActions()`, the
 * same code also runs in GitLab CI, on EKS and on Cloud Run.
 */
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromWebIdentity } from "resilient-sts";
import { githubActions } from "resilient-sts/token-sources";

await using credentials = fromWebIdentity({
  token: githubActions(),
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

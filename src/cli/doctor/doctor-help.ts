export const DOCTOR_HELP = `Usage: resilient-sts doctor [options]

Finds out why AssumeRoleWithWebIdentity fails, and who must do what. Without
options it takes what the workload has: AWS_WEB_IDENTITY_TOKEN_FILE,
AWS_ROLE_ARN, AWS_REGION and the other variables of the AWS SDKs.

What to look at:
  --token-file FILE        the file that holds the token
  --token -                read the token from standard input
  --token-source NAME      where the token comes from: githubActions, gitlab,
                           googleMetadata, …; auto finds it (the default where
                           no token file is configured)
  --audience TEXT          the audience to request from the token source
  --profile NAME           use this profile's role_arn, web_identity_token_file,
                           role_session_name, duration_seconds and region
  --role-arn ARN           the role to assume
  --role-session-name NAME
  --region REGION          whose STS is asked
  --failover-region REGION whose STS is measured too; may be repeated
  --endpoint-url URL       another STS endpoint than AWS's own choice
  --issuer URL             look at this issuer alone: no token, no STS
  --allow-private-issuers  ask issuers at private addresses too, and those of
                           this machine over http
  --no-assume              do not make the one AssumeRoleWithWebIdentity call
  --timeout TIME           for the whole run, 1s to 60s (default 18s)

What to show:
  --json                   the diagnosis as JSON; the package has its schema,
                           schema/diagnosis-v1.schema.json
  --html FILE              write a report that a browser shows, too
  --commands               AWS's steps for curl and PowerShell with your URLs,
                           for a machine or network without Node
  --watch TIME             look again every TIME (30s, 5m) until Ctrl-C and
                           print what changed
  --redact                 mask account ids, leave out the token's subject
  -h, --help               print this help

Exit codes: 0 healthy (advice is allowed), 1 something fatal or suspect was
found, 2 wrong usage, 3 the doctor itself failed, 130 stopped by Ctrl-C.
--watch ends with 0 or 1: the worst it has seen.

No token, signature or credentials are ever printed. NO_COLOR takes the colours
away; a terminal whose locale has no UTF-8 gets ASCII.
`;

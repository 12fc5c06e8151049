export const EMULATE_HELP = `Usage: resilient-sts emulate [options]

Runs a local identity provider and a local STS, writes a token to a file and
renews it, and prints the environment to export: see your own service in the
storm, or point the AWS CLI at it.

Options:
  --idp-port PORT        default 4011
  --sts-port PORT        default 4012
  --token-file FILE      default: a new file in the folder for temporary files
  --token-lifetime TIME  default 60m; a new token is written after half of it
  --role-arn ARN         the role to print; every role is granted
  --region REGION        default AWS_REGION, or us-east-1
  --fault FAULT          may be repeated
  -h, --help             print this help

Faults of the identity provider, of both documents or of one:
  idp:slow=6s  idp:jwks:slow=6s  idp:discovery:hang  idp:rate-limit
  idp:status=503  idp:redirect=https://example.com/  idp:html  idp:reset
  idp:trickle  idp:truncate  idp:down  idp:no-cache  idp:missing-key

Faults of STS:
  sts:slow=3s  sts:hang  sts:reset  sts:html  sts:empty-200  sts:down
  sts:idp-unreachable  sts:throttled  sts:sts-unavailable  sts:token-expired
  sts:token-early  sts:token-rejected  sts:access-denied  sts:region-disabled
  sts:request-invalid  sts:unknown

How often, for all but down, no-cache and missing-key:
  ,times=3         only the next three requests
  ,probability=0.3 three of ten requests

Example:
  resilient-sts emulate --fault idp:jwks:slow=6s,probability=0.3

Ctrl-C ends it and removes the token file. Standard output is a shell script:
  resilient-sts emulate > emulated.env &   then   . ./emulated.env
`;

npm install --global resilient-sts
mkdir -p ~/.aws
resilient-sts credential-process --print-config \
  --role-arn arn:aws:iam::123456789012:role/dev \
  --token-file ~/.oidc/token >> ~/.aws/config

aws sts get-caller-identity --profile dev

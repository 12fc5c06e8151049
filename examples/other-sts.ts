/*
 * MinIO and Ceph RGW implement AssumeRoleWithWebIdentity too, and issue credentials for their own S3.
 * Set S3_ENDPOINT, S3_ROLE_ARN and OIDC_TOKEN_FILE.
 */
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { fromTokenFile } from "resilient-sts";

const endpoint = process.env.S3_ENDPOINT ?? "https://minio.example.com";
// MinIO and Ceph ignore the region, but a signature needs one.
const region = "us-east-1";

await using credentials = fromTokenFile({
  webIdentityTokenFile: process.env.OIDC_TOKEN_FILE,
  // MinIO: `arn:minio:iam:::role/…`. Ceph: `arn:aws:iam::TENANT:role/…`.
  roleArn: process.env.S3_ROLE_ARN,
  roleSessionName: "reports",
  clientConfig: { endpoint, region },
  // The local checks follow AWS's rules, and these servers have other rules.
  validateToken: false,
  preflight: "off",
});

const s3 = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
console.log(`${Buckets.length} buckets at ${endpoint}`);
s3.destroy();

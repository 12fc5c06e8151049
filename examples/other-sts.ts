/*
 * MinIO and Ceph RGW implement AssumeRoleWithWebIdentity too, and issue credentials for their own S3.
 * The endpoint goes into clientConfig; S3_ENDPOINT, S3_ROLE_ARN and OIDC_TOKEN_FILE name the rest.
 */
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { fromTokenFile } from "resilient-sts";

const endpoint = process.env.S3_ENDPOINT ?? "https://minio.example.com";
// MinIO and Ceph ignore the region, but a signature needs one.
const region = "us-east-1";

await using credentials = fromTokenFile({
  webIdentityTokenFile: process.env.OIDC_TOKEN_FILE,
  // `arn:minio:iam:::role/…` at MinIO, `arn:aws:iam::TENANT:role/…` at Ceph.
  roleArn: process.env.S3_ROLE_ARN,
  roleSessionName: "reports",
  clientConfig: { endpoint, region },
  // The local checks follow the rules of AWS; these servers have their own.
  validateToken: false,
  preflight: "off",
});

const s3 = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
console.log(`${Buckets.length} buckets at ${endpoint}`);
s3.destroy();

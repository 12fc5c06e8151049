/*
 * EKS with IAM roles for service accounts (IRSA), and every other platform that sets AWS_ROLE_ARN and
 * AWS_WEB_IDENTITY_TOKEN_FILE: only the import changes.
 */
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { fromTokenFile } from "resilient-sts";

// All clients of the process share one provider, its credentials and its refreshes.
const credentials = fromTokenFile();

const s3 = new S3Client({ credentials });
const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
console.log(`${Buckets.length} buckets: ${Buckets.map(({ Name }) => Name).join(", ")}`);

s3.destroy();
credentials.close();

import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { fromTokenFile } from "../../src/provider/from-token-file.js";
import { fromWebIdentity } from "../../src/provider/from-web-identity.js";
import { fromWebToken } from "../../src/provider/from-web-token.js";

const create = { fromTokenFile, fromWebIdentity, fromWebToken } as Readonly<
  Record<string, (init: never) => unknown>
>;

test.each(Object.entries(create))(
  "%s given as credentials without being called says so",
  async (name, factory) => {
    const credentials = factory as never;
    const s3 = new S3Client({ credentials, region: "us-east-1", endpoint: "http://127.0.0.1:9" });
    await expect(s3.send(new ListBucketsCommand({}))).rejects.toThrow(
      `${name} itself was given as credentials; call it: { credentials: ${name}(…) }.`,
    );
    s3.destroy();
  },
);

import { AttemptError } from "../model/failure.js";
import { untilAborted } from "../runtime/abort.js";

/**
 * The longest answer that is read, in bytes. A success of STS has 1 to 3 KiB, and at most some
 * 20 KiB with a packed policy and a token of the largest size in its subject and audience.
 */
const MAX_ANSWER_BYTES = 1024 * 1024;

interface Answer {
  readonly statusCode?: number;
  readonly body?: unknown;
}

/**
 * The same answer with its body read into memory, which the SDK would do next, without a limit. It
 * does not matter which request handler the body comes from: Node's streams and the web's are both
 * read here, and only what has no bytes to count is left to the SDK.
 *
 * @throws AttemptError for an answer that is too long, as soon as that is known; what the body throws.
 */
export async function withBoundedBody<A>(answer: A, signal: AbortSignal): Promise<A> {
  const { body, statusCode } = (answer ?? {}) as Answer;
  if (ArrayBuffer.isView(body) || typeof body === "string") {
    const size = typeof body === "string" ? body.length : body.byteLength;
    if (size > MAX_ANSWER_BYTES) throw tooLong(statusCode);
    return answer;
  }
  if (isBlob(body) && body.size > MAX_ANSWER_BYTES) throw tooLong(statusCode);
  if (!isStream(body)) return answer;
  const reading = body[Symbol.asyncIterator]();
  try {
    const bytes = await untilAborted(readAll(reading, statusCode), signal);
    return { ...answer, body: bytes };
  } catch (error) {
    // What is left is never read: the connection ends with it. A read that hangs is not waited for.
    (body as { destroy?: () => void }).destroy?.();
    reading.return?.().catch(() => {});
    throw error;
  }
}

async function readAll(
  reading: AsyncIterator<Uint8Array | string>,
  httpStatus: number | undefined,
): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reading.next();
    if (done) return Buffer.concat(chunks);
    const chunk = Buffer.from(value as Uint8Array);
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw tooLong(httpStatus);
    chunks.push(chunk);
  }
}

function isStream(body: unknown): body is AsyncIterable<Uint8Array | string> {
  return (
    typeof (body as Partial<AsyncIterable<unknown>> | null)?.[Symbol.asyncIterator] === "function"
  );
}

function isBlob(body: unknown): body is { readonly size: number } {
  return typeof (body as { size?: unknown } | null)?.size === "number";
}

function tooLong(httpStatus: number | undefined): AttemptError {
  return new AttemptError({
    kind: "bad-answer",
    code: "AnswerTooLong",
    message: `the answer is longer than ${MAX_ANSWER_BYTES} bytes; reading stopped there`,
    httpStatus,
  });
}

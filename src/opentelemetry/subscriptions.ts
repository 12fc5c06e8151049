import { subscribe, tracingChannel, unsubscribe } from "node:diagnostics_channel";
import type { Attributes } from "@opentelemetry/api";

type Listener = (message: unknown) => void;

/** Subscriptions that end together. */
export class Subscriptions {
  readonly #ends: (() => void)[] = [];

  add<T>(channelName: string, listener: (message: T) => void): void {
    const onMessage = listener as Listener;
    subscribe(channelName, onMessage);
    this.#ends.push(() => unsubscribe(channelName, onMessage));
  }

  /** Start and end of what a tracing channel publishes. */
  addTracing<T extends object>(
    channelName: string,
    { start, end }: { start: (message: T) => void; end: (message: T) => void },
  ): void {
    const channel = tracingChannel<T>(channelName);
    this.add(String(channel.start.name), start);
    this.add(String(channel.asyncEnd.name), end);
  }

  end(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

/** Attributes without those that are undefined. */
export function defined(
  attributes: Readonly<Record<string, string | number | undefined>>,
): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).filter(([, value]) => value !== undefined),
  ) as Attributes;
}

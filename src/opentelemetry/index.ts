/**
 * Metrics and spans of OpenTelemetry, for every provider, store and endpoint of the process.
 *
 * @module resilient-sts/opentelemetry
 */

export { type Instrumentation, type InstrumentOptions, instrument } from "./instrument.js";

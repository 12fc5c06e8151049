import { checkType, expected, requireString } from "../../runtime/validators.js";
import { checkHttpStatus, checkOneOf, checkWaits } from "../check-fault.js";
import { STS_FAULT_NAMES, type StsFault, type StsFaultOptions } from "./sts-fault.js";

/**
 * Refuses a fault that could not be played: a test in which nothing goes wrong would pass for it.
 *
 * @throws TypeError that says what was expected.
 */
export function checkStsFault(fault: StsFault, options: StsFaultOptions): void {
  if (typeof fault === "object" && fault !== null) {
    requireString("code", fault.code);
    if (typeof fault.message !== "string") {
      throw expected("message", "to be a string", fault.message);
    }
    checkHttpStatus(fault.httpStatus ?? Number.NaN);
  } else {
    checkOneOf("fault", fault, STS_FAULT_NAMES);
  }
  checkType("options", options, "object");
  checkType("when", options.when, "function");
  checkWaits(options);
  checkHttpStatus(options.httpStatus);
}

// What the JavaScript client tests share: where the servers are, and one line for each check.

import assert from "node:assert/strict";

export { assert };
export const GATEWAY = process.env.GATEWAY_URL;
export const UPSTREAM = process.env.UPSTREAM_URL;
// Every call of a client is bounded by this, so a gateway that hangs fails a check instead of the whole run.
export const CALL_MILLISECONDS = 30_000;

export const ANSWER = "Hello from the scripted upstream: ünïcode, 你好 and 🦀.";
export const THOUGHT = "The user wants a greeting.\nI will give one.";

/** Run one check and print its line; a failure ends the process, unless `KEEP_GOING=1`. */
export async function check(name, run) {
  try {
    await run();
  } catch (error) {
    console.log(`not ok - ${name}`);
    console.error(error);
    if (process.env.KEEP_GOING !== "1") process.exit(1);
    return;
  }
  console.log(`ok - ${name}`);
}

/** The requests that the scripted upstream has got for a model, oldest first. */
export async function seen(model) {
  const answer = await fetch(`${UPSTREAM}/seen?model=${model}`);
  return answer.json();
}

/** The error that a promise ends with. */
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: "it did not fail" });
}

export const WEATHER_SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city"],
  additionalProperties: false,
};

// The accumulator of `@anthropic-ai/sdk` reads every golden stream as its events say.

import Anthropic from "@anthropic-ai/sdk";
import { assert, CALL_MILLISECONDS, check } from "./support.mjs";

const address = process.env.GOLDEN_URL;
const client = new Anthropic({ baseURL: address, apiKey: "none", maxRetries: 0, timeout: CALL_MILLISECONDS });
const vectors = await (await fetch(`${address}/vectors`)).json();

async function read(vector) {
  const request = { model: vector.name, max_tokens: 100, messages: [{ role: "user", content: "x" }] };
  let message;
  try {
    message = await client.messages.stream(request).finalMessage();
  } catch (error) {
    // The model's own words were no JSON: the SDK says so, which is louder than an empty input.
    const broken = vector.blocks.some((block) => block.input === null);
    if (broken && error.message.includes("JSON")) return;
    assert.ok(error instanceof Anthropic.APIError, String(error));
    assert.equal(error.error?.error?.type ?? error.type, vector.error, String(error));
    return;
  }
  assert.equal(vector.error, null);
  assert.equal(message.content.length, vector.blocks.length);
  vector.blocks.forEach((expected, index) => {
    const { ...block } = message.content[index];
    // What the SDK makes of an input that is no JSON is its own business.
    if (expected.input === null) block.input = null;
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(block[name], value);
  });
  assert.deepEqual([message.stop_reason, message.stop_sequence], [vector.stop_reason, vector.stop_sequence]);
  // A member of ours, `iflow2api`, is left out by the accumulator.
  const counts = Object.entries(vector.usage).filter(([name]) => name !== "iflow2api");
  for (const [name, count] of counts) assert.equal(message.usage[name], count, name);
}

await check(`the JavaScript SDK reads all ${vectors.length} golden streams`, async () => {
  assert.ok(vectors.length > 30);
  for (const vector of vectors) {
    try {
      await read(vector);
    } catch (error) {
      throw new Error(vector.name, { cause: error });
    }
  }
});

// The npm package `@anthropic-ai/sdk` through the gateway, against the scripted upstream.

import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { z } from "zod";
import {
  ANSWER, assert, CALL_MILLISECONDS, check, failure, GATEWAY, seen, THOUGHT, WEATHER_SCHEMA,
} from "./support.mjs";

const client = new Anthropic({
  baseURL: GATEWAY, apiKey: "a-caller-key", maxRetries: 0, timeout: CALL_MILLISECONDS,
});
const messages = [{ role: "user", content: "Say hello" }];
const tools = [{ name: "get_weather", description: "Weather", input_schema: WEATHER_SCHEMA }];
const ask = (model, more = {}) => ({ model, max_tokens: 2048, messages, ...more });
const INPUTS = [{ city: "Paris", days: 2 }, { city: "東京", days: 3 }];

/** A message without what is different each time, and without what the stream helper adds. */
function shape(message) {
  const { id, parsed_output, ...rest } = JSON.parse(JSON.stringify(message));
  return rest;
}

/** The answer whole and as the stream helper puts it together; they must be alike. */
async function both(request) {
  const whole = await client.messages.create(request);
  assert.deepEqual(shape(await client.messages.stream(request).finalMessage()), shape(whole));
  return whole;
}

await check("text, whole and through the stream helper: the same message", async () => {
  const message = await both(ask("scripted-text"));
  assert.deepEqual(message.content.map((block) => block.text), [ANSWER]);
  assert.equal(message.stop_reason, "end_turn");
  assert.deepEqual(
    [message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens],
    [20, 100, 17],
  );
});

await check("events of the stream helper", async () => {
  let text = "";
  const stream = client.messages.stream(ask("scripted-text")).on("text", (piece) => { text += piece; });
  assert.equal(await stream.finalText(), ANSWER);
  assert.equal(text, ANSWER);
});

await check("parallel tools, and their results in the next turn", async () => {
  const message = await both(ask("scripted-tools", { tools }));
  assert.equal(message.stop_reason, "tool_use");
  assert.deepEqual(message.content.map((block) => block.type), ["text", "tool_use", "tool_use"]);
  assert.deepEqual(message.content.slice(1).map((block) => block.input), INPUTS);
  const results = message.content.slice(1).map((block) => ({
    type: "tool_result", tool_use_id: block.id, content: [{ type: "text", text: `sunny in ${block.input.city}` }],
  }));
  const history = [...messages, { role: "assistant", content: message.content }, { role: "user", content: results }];
  const answer = await client.messages.create(ask("scripted-tools", { tools, messages: history }));
  assert.equal(answer.content[0].text, "Results: sunny in Paris | sunny in 東京");
});

await check("the tool runner of the SDK, whose message threads are refused in the way it understands", async () => {
  const runner = client.beta.messages.toolRunner(ask("scripted-reasoning-tools", {
    tools: [betaZodTool({
      name: "get_time", description: "Tell the time", inputSchema: z.object({}), run: () => "half past nine",
    })],
  }));
  const last = await runner.runUntilDone();
  assert.equal(last.content.at(-1).text, "Result: half past nine");
});

await check("thinking: a signed block, replayed in a second turn", async () => {
  const thinking = { type: "enabled", budget_tokens: 1024 };
  const message = await both(ask("scripted-reasoning", { thinking }));
  assert.deepEqual(message.content.map((block) => block.type), ["thinking", "text"]);
  assert.equal(message.content[0].thinking, THOUGHT);
  assert.ok(message.content[0].signature);
  const history = [
    ...messages, { role: "assistant", content: message.content }, { role: "user", content: "Again" },
  ];
  await client.messages.create(ask("scripted-reasoning", { thinking, messages: history }));
  const sent = (await seen("scripted-reasoning")).at(-1).body.messages;
  assert.equal(sent[1].content, ANSWER);
  assert.ok([undefined, THOUGHT].includes(sent[1].reasoning_content), JSON.stringify(sent));
});

await check("count_tokens", async () => {
  const { input_tokens } = await client.messages.countTokens({ model: "scripted-text", messages, tools });
  assert.ok(input_tokens > 50, String(input_tokens));
});

await check("errors keep status, class and type, whole and streamed", async () => {
  const kinds = {
    400: [Anthropic.BadRequestError, "invalid_request_error"],
    401: [Anthropic.AuthenticationError, "authentication_error"],
    404: [Anthropic.NotFoundError, "not_found_error"],
    429: [Anthropic.RateLimitError, "rate_limit_error"],
  };
  for (const [status, [kind, type]] of Object.entries(kinds)) {
    for (const stream of [false, true]) {
      const error = await failure(client.messages.create(ask(`scripted-status-${status}`, { stream })));
      assert.ok(error instanceof kind, String(error));
      assert.equal(error.status, Number(status));
      assert.equal(error.error.error.type, type);
      assert.ok(error.requestID);
      if (status === "429") assert.equal(error.headers.get("retry-after"), "45");
    }
  }
});

await check("errors in the middle of a stream are raised after the text before them", async () => {
  let text = "";
  const stream = client.messages.stream(ask("scripted-midstream")).on("text", (piece) => { text += piece; });
  const error = await failure(stream.finalMessage());
  assert.ok(error instanceof Anthropic.APIError, String(error));
  assert.match(error.message, /broke down/);
  assert.equal(text, "Half an answer");
  const broken = await failure(client.messages.stream(ask("scripted-eof", { tools })).finalMessage());
  assert.ok(broken instanceof Anthropic.APIError, String(broken));
});

await check("models.list", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("scripted-text"), String(names));
});

// The npm package `@anthropic-ai/sdk` through the gateway, to an upstream that speaks Anthropic's API itself.

import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { z } from "zod";
import { ANSWER, assert, CALL_MILLISECONDS, check, failure, GATEWAY, seen, WEATHER_SCHEMA } from "./support.mjs";

const client = new Anthropic({ baseURL: GATEWAY, apiKey: "a-caller-key", maxRetries: 0, timeout: CALL_MILLISECONDS });
const hello = [{ role: "user", content: "Say hello" }];
const tools = [
  { name: "get_weather", input_schema: WEATHER_SCHEMA }, { name: "get_time", input_schema: { type: "object" } },
];
const thinking = { type: "enabled", budget_tokens: 1024 };
const ask = (model, more = {}) => ({ model, max_tokens: 2048, messages: hello, ...more });
const PATHS = { deepseek: "/x-api-key/v1/messages", zai: "/bearer/v1/messages" };

/** A message without what the stream helper adds. */
function shape(message) {
  const { parsed_output, ...rest } = JSON.parse(JSON.stringify(message));
  return rest;
}

/** The answer whole and as the stream helper puts it together; they must be alike. */
async function both(request) {
  const whole = await client.messages.create(request);
  assert.deepEqual(shape(await client.messages.stream(request).finalMessage()), shape(whole));
  return whole;
}

await check("text and usage, whole and through the stream helper, with either way to show the key", async () => {
  for (const [upstream, path] of Object.entries(PATHS)) {
    const message = await both(ask(`${upstream}/scripted-text`));
    assert.equal(message.content[0].text, ANSWER);
    assert.equal(message.model, `${upstream}/scripted-text`);
    assert.deepEqual(message.usage, {
      input_tokens: 20, cache_creation_input_tokens: 0, cache_read_input_tokens: 100, output_tokens: 17,
    });
    assert.equal((await seen("scripted-text")).at(-1).path, path);
  }
  let text = "";
  const stream = client.messages.stream(ask("zai/scripted-text")).on("text", (piece) => { text += piece; });
  assert.equal(await stream.finalText(), text);
  assert.equal(text, ANSWER);
});

await check("parallel tools, and their results in the next turn", async () => {
  const message = await both(ask("zai/scripted-tools", { tools }));
  assert.deepEqual(message.content.map((block) => block.type), ["text", "tool_use", "tool_use"]);
  const results = message.content.slice(1).map((block) => ({
    type: "tool_result", tool_use_id: block.id, content: [{ type: "text", text: `sunny in ${block.input.city}` }],
  }));
  const messages = [...hello, { role: "assistant", content: message.content }, { role: "user", content: results }];
  const answer = await both(ask("zai/scripted-tools", { tools, messages }));
  assert.equal(answer.content[0].text, "Results: sunny in Paris | sunny in 東京");
});

await check("thoughts are kept over two questions with a tool each, with the upstream's own signatures", async () => {
  const before = (await seen("deepseek-flash")).length;
  const messages = [...hello];
  for (const question of [0, 1]) {
    for (const kind of ["tool_use", "text"]) {
      const request = ask("deepseek/deepseek-flash", { tools, thinking, messages });
      const message = await client.messages.stream(request).finalMessage();
      assert.deepEqual(message.content.map((block) => block.type), ["thinking", kind]);
      assert.match(message.content[0].signature, /^Eq/);
      messages.push({ role: "assistant", content: message.content });
      if (kind === "tool_use") {
        const result = { type: "tool_result", tool_use_id: message.content[1].id, content: `${question} o'clock` };
        messages.push({ role: "user", content: [result] });
      } else {
        assert.equal(message.content[1].text, `It is ${question} o'clock.`);
      }
    }
    messages.push({ role: "user", content: "And then?" });
  }
  // None was refused, and so none was asked twice.
  assert.equal((await seen("deepseek-flash")).length - before, 4);
});

await check("the tool runner of the SDK, whose message threads are refused in the way it understands", async () => {
  const runner = client.beta.messages.toolRunner(ask("zai/deepseek-flash", {
    thinking,
    tools: [betaZodTool({
      name: "get_time", description: "Tell the time", inputSchema: z.object({}), run: () => "half past nine",
    })],
  }));
  assert.equal((await runner.runUntilDone()).content.at(-1).text, "It is half past nine.");
});

await check("errors keep status, class and type, whole and streamed", async () => {
  const kinds = {
    400: [Anthropic.BadRequestError, "invalid_request_error"],
    401: [Anthropic.AuthenticationError, "authentication_error"],
    404: [Anthropic.NotFoundError, "not_found_error"],
  };
  for (const [status, [kind, type]] of Object.entries(kinds)) {
    for (const stream of [false, true]) {
      const error = await failure(client.messages.create(ask(`zai/scripted-status-${status}`, { stream })));
      assert.ok(error instanceof kind, String(error));
      assert.equal(error.error.error.type, type);
    }
  }
  let text = "";
  const stream = client.messages.stream(ask("zai/scripted-midstream")).on("text", (piece) => { text += piece; });
  assert.match((await failure(stream.finalMessage())).message, /broke down/);
  assert.equal(text, "Half an answer");
});

// The npm package `openai` through the gateway, against the scripted upstream.

import OpenAI from "openai";
import {
  ANSWER, assert, CALL_MILLISECONDS, check, failure, GATEWAY, seen, THOUGHT, WEATHER_SCHEMA,
} from "./support.mjs";

const client = new OpenAI({
  baseURL: `${GATEWAY}/v1`, apiKey: "a-caller-key", maxRetries: 0, timeout: CALL_MILLISECONDS,
});
const messages = [{ role: "user", content: "Say hello" }];
const tools = [{ type: "function", function: { name: "get_weather", parameters: WEATHER_SCHEMA } }];

await check("text, whole and streamed", async () => {
  const whole = await client.chat.completions.create({ model: "scripted-text", messages });
  assert.equal(whole.choices[0].message.content, ANSWER);
  assert.equal(whole.choices[0].finish_reason, "stop");
  assert.equal(whole.usage.prompt_tokens, 120);
  const ids = new Set();
  const usages = [];
  let text = "";
  const stream = await client.chat.completions.create({
    model: "scripted-text", messages, stream: true, stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    ids.add(chunk.id);
    if (chunk.usage) usages.push(chunk);
    text += chunk.choices[0]?.delta.content ?? "";
  }
  assert.equal(text, ANSWER);
  assert.equal(ids.size, 1);
  assert.equal(usages.length, 1);
  assert.deepEqual(usages[0].choices, []);
});

await check("stream helper: final content and usage", async () => {
  const runner = client.chat.completions.stream({
    model: "scripted-text", messages, stream_options: { include_usage: true },
  });
  assert.equal(await runner.finalContent(), ANSWER);
  assert.equal((await runner.totalUsage()).total_tokens, 137);
});

await check("parallel tool calls, whole and through the stream helper", async () => {
  const request = { model: "scripted-tools", messages, tools };
  const whole = (await client.chat.completions.create(request)).choices[0];
  const streamed = (await client.chat.completions.stream(request).finalChatCompletion()).choices[0];
  for (const choice of [whole, streamed]) {
    assert.equal(choice.finish_reason, "tool_calls");
    assert.deepEqual(choice.message.tool_calls.map((call) => [call.id, JSON.parse(call.function.arguments)]), [
      ["call_paris", { city: "Paris", days: 2 }],
      ["call_tokyo", { city: "東京", days: 3 }],
    ]);
  }
});

await check("the tool runner of the SDK goes through two turns", async () => {
  const asked = [];
  const runner = client.chat.completions.runTools({
    model: "scripted-tools",
    messages,
    tools: [{
      type: "function",
      function: {
        name: "get_weather",
        parameters: WEATHER_SCHEMA,
        parse: JSON.parse,
        function: ({ city }) => { asked.push(city); return `sunny in ${city}`; },
      },
    }],
  });
  assert.equal(await runner.finalContent(), "Results: sunny in Paris | sunny in 東京");
  assert.deepEqual(asked, ["Paris", "東京"]);
});

await check("reasoning, whole and streamed", async () => {
  const request = { model: "scripted-reasoning", messages, reasoning_effort: "high" };
  const whole = (await client.chat.completions.create(request)).choices[0].message;
  assert.deepEqual([whole.reasoning_content, whole.content], [THOUGHT, ANSWER]);
  let thought = "";
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
    thought += chunk.choices[0]?.delta.reasoning_content ?? "";
  }
  assert.equal(thought, THOUGHT);
});

await check("errors keep status and class, whole and streamed", async () => {
  const kinds = {
    400: OpenAI.BadRequestError, 401: OpenAI.AuthenticationError, 404: OpenAI.NotFoundError, 429: OpenAI.RateLimitError,
  };
  for (const [status, kind] of Object.entries(kinds)) {
    for (const stream of [false, true]) {
      const request = { model: `scripted-status-${status}`, messages, stream };
      const error = await failure(client.chat.completions.create(request));
      assert.ok(error instanceof kind, String(error));
      assert.equal(error.status, Number(status));
      assert.deepEqual(Object.keys(error.error).sort(), ["code", "message", "param", "type"]);
      assert.ok(error.requestID);
      if (status === "429") assert.equal(error.headers.get("retry-after"), "45");
    }
  }
});

await check("errors in the middle of a stream are raised after the text before them", async () => {
  let text = "";
  const error = await failure((async () => {
    const stream = await client.chat.completions.create({ model: "scripted-midstream", messages, stream: true });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  })());
  assert.ok(error instanceof OpenAI.APIError, String(error));
  assert.match(error.message, /broke down/);
  assert.equal(text, "Half an answer");
  const broken = await failure((async () => {
    const stream = await client.chat.completions.create({ model: "scripted-eof", messages, tools, stream: true });
    for await (const _ of stream);
  })());
  assert.ok(broken instanceof OpenAI.APIError, String(broken));
});

await check("models.list", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("scripted-text"), String(names));
});

await check("the upstream saw its own key only", async () => {
  const keys = new Set((await seen("scripted-text")).map((request) => request.headers.authorization));
  assert.deepEqual([...keys], ["Bearer test-key"]);
});

// Vercel's `ai` through the gateway, by `@ai-sdk/openai-compatible` and by `@ai-sdk/anthropic`.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import {
  ANSWER, assert, CALL_MILLISECONDS, check, failure, GATEWAY, seen, THOUGHT, WEATHER_SCHEMA,
} from "./support.mjs";

const openai = createOpenAICompatible({
  name: "gateway", baseURL: `${GATEWAY}/v1`, apiKey: "a-caller-key", includeUsage: true,
  supportsStructuredOutputs: true,
});
const anthropic = createAnthropic({ baseURL: `${GATEWAY}/v1`, apiKey: "a-caller-key" });
const thinking = { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } };
const faces = [
  ["openai-compatible", openai, {}],
  ["anthropic", anthropic, thinking],
];

const settings = (model, more = {}) => ({
  model, prompt: "Say hello", maxRetries: 0, maxOutputTokens: 2048,
  abortSignal: AbortSignal.timeout(CALL_MILLISECONDS), ...more,
});

/** The tools of the script, which note what they were asked. */
function weather(asked) {
  return {
    get_weather: tool({
      description: "Weather", inputSchema: jsonSchema(WEATHER_SCHEMA),
      execute: ({ city }) => { asked.push(city); return `sunny in ${city}`; },
    }),
    get_time: tool({
      description: "Time", inputSchema: jsonSchema({ type: "object", properties: {} }),
      execute: () => "half past nine",
    }),
  };
}

/** All parts of a stream, errors among them. */
async function parts(result) {
  const all = [];
  for await (const part of result.fullStream) all.push(part);
  return all;
}

for (const [name, provider, providerOptions] of faces) {
  await check(`${name}: text, whole and streamed, with usage`, async () => {
    const whole = await generateText(settings(provider("scripted-text")));
    assert.equal(whole.text, ANSWER);
    assert.equal(whole.finishReason, "stop");
    const streamed = streamText(settings(provider("scripted-text")));
    assert.equal(await streamed.text, ANSWER);
    for (const usage of [whole.usage, await streamed.usage]) {
      assert.deepEqual([usage.inputTokens, usage.outputTokens, usage.cachedInputTokens], [120, 17, 100]);
    }
  });

  await check(`${name}: parallel tools and a second step, whole and streamed`, async () => {
    for (const run of [generateText, streamText]) {
      const asked = [];
      const more = { tools: weather(asked), stopWhen: stepCountIs(3) };
      const result = await run(settings(provider("scripted-tools"), more));
      const text = await result.text;
      assert.match(text, /Results: .*sunny in Paris.* \| .*sunny in 東京/);
      assert.deepEqual(asked, ["Paris", "東京"]);
      assert.equal((await result.steps).length, 2);
    }
  });

  await check(`${name}: reasoning, whole and streamed, then a tool, with the thought replayed`, async () => {
    for (const run of [generateText, streamText]) {
      const plain = await run(settings(provider("scripted-reasoning"), { providerOptions }));
      assert.deepEqual([await plain.reasoningText, await plain.text], [THOUGHT, ANSWER]);
      const result = await run(settings(provider("scripted-reasoning-tools"), {
        tools: weather([]), stopWhen: stepCountIs(3), providerOptions,
      }));
      assert.match(await result.text, /Result: .*half past nine/);
      const sent = (await seen("scripted-reasoning-tools")).at(-1).body.messages;
      assert.deepEqual(sent.map((message) => message.role), ["user", "assistant", "tool"]);
      assert.ok([undefined, THOUGHT].includes(sent[1].reasoning_content), JSON.stringify(sent));
    }
  });

  await check(`${name}: errors keep their status, whole and streamed`, async () => {
    for (const status of [400, 401, 404, 429]) {
      const request = settings(provider(`scripted-status-${status}`));
      const whole = await failure(generateText(request));
      const all = await parts(streamText({ ...request, onError() {} }));
      const streamed = all.find((part) => part.type === "error").error;
      for (const error of [whole, streamed]) {
        assert.ok(APICallError.isInstance(error), String(error));
        assert.equal(error.statusCode, status);
        if (status === 429) assert.equal(error.responseHeaders["retry-after"], "45");
      }
    }
  });

  await check(`${name}: an error in the middle of a stream is an error part after the text before it`, async () => {
    const all = await parts(streamText(settings(provider("scripted-midstream"), { onError() {} })));
    assert.equal(all.filter((part) => part.type === "text-delta").map((part) => part.text).join(""), "Half an answer");
    const broken = all.find((part) => part.type === "error");
    assert.match(JSON.stringify(broken.error.message ?? broken.error), /broke down/);
    const cut = await parts(streamText(settings(provider("scripted-eof"), { tools: weather([]), onError() {} })));
    assert.ok(cut.some((part) => part.type === "error"), JSON.stringify(cut));
    assert.ok(!cut.some((part) => part.type === "tool-call" && !part.invalid), JSON.stringify(cut));
  });
}

await check("openai-compatible: structured output", async () => {
  const schema = jsonSchema({
    type: "object", properties: { city: { type: "string" }, population: { type: "integer" } },
    required: ["city", "population"], additionalProperties: false,
  });
  const result = await generateObject(settings(openai("scripted-json"), { schema }));
  assert.deepEqual(result.object, { city: "Paris", population: 2102650 });
});

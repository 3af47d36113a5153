// Loops of tools with the npm packages' own runners, before an upstream that wants every thought back.

import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import OpenAI from "openai";
import { z } from "zod";
import { assert, CALL_MILLISECONDS, check, GATEWAY, seen } from "./support.mjs";

const settings = { apiKey: "a-caller-key", maxRetries: 0, timeout: CALL_MILLISECONDS };
const openai = new OpenAI({ baseURL: `${GATEWAY}/v1`, ...settings });
const anthropic = new Anthropic({ baseURL: GATEWAY, ...settings });
const model = "translated/deepseek-flash";

/** What reached the upstream: one call each, with all thoughts of the answers before it. */
async function checkUpstream(before, calls) {
  const all = (await seen("deepseek-flash")).slice(before);
  assert.equal(all.length, calls);
  for (const [number, { body }] of all.entries()) {
    const thoughts = body.messages.filter(({ role }) => role === "assistant").map((each) => each.reasoning_content);
    assert.deepEqual(thoughts, [...Array(number).keys()].map((at) => `Thought ${at}: 想.\n`));
  }
}

for (const stream of [false, true]) {
  const how = stream ? "streamed" : "whole";

  await check(`openai: its tool runner goes through two questions, ${how}`, async () => {
    const before = (await seen("deepseek-flash")).length;
    let messages = [];
    for (const question of ["What time is it?", "And then?"]) {
      const runner = openai.chat.completions.runTools({
        model, stream, reasoning_effort: "high",
        messages: [...messages, { role: "user", content: `${how}: ${question}` }],
        tools: [{
          type: "function",
          function: { name: "get_time", parameters: { type: "object" }, parse: JSON.parse, function: () => question },
        }],
      });
      assert.equal(await runner.finalContent(), `It is ${question}.`);
      messages = runner.messages;
    }
    await checkUpstream(before, 4);
  });

  await check(`anthropic: its tool runner, ${how}`, async () => {
    const before = (await seen("deepseek-flash")).length;
    const runner = anthropic.beta.messages.toolRunner({
      model, stream, max_tokens: 4096, thinking: { type: "adaptive" },
      messages: [{ role: "user", content: `${how}: what time is it?` }],
      tools: [betaZodTool({ name: "get_time", description: "Time", inputSchema: z.object({}), run: () => "noon" })],
    });
    assert.equal((await runner.runUntilDone()).content.at(-1).text, "It is noon.");
    await checkUpstream(before, 2);
  });
}

// An authorization server that is certified, `oidc-provider`, and an upstream that only its tokens open, on one free
// port of the loopback interface.
//
// Prints `listening on http://127.0.0.1:PORT`. Whoever comes to log in is `ada`, and she agrees to everything; the path
// of an interaction with `/abort` after it says no instead. Access tokens live ACCESS_TOKEN_SECONDS (3600). Refresh
// tokens are good for one use, and a second use ends the whole login.
//
//   /llm/v1/models, /llm/v1/chat/completions   the upstream, with one model, `guarded-1`
//   GET  /control/counts            what was asked for and how it went (see `count`), `errors` in words
//   GET  /control/secrets           every token and code that was ever issued, to look for where none belongs
//   POST /control/expire            no access token from before is good any longer; refresh tokens stay good
//   POST /control/refuse-refresh    no login from before can be refreshed any longer; access tokens stay good
//   POST /control/life?seconds=N    how long access tokens live that are issued from now on

import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { Provider } from "oidc-provider";

const ACCOUNT = "ada";
const MODEL = "guarded-1";
const ANSWER = "The door is open, Ada: ünïcode, 你好 and 🦀.";
const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";
// A refresh is answered after this, but done before: whoever else needs the token has to wait, and a second refresh
// with the same token comes too late.
const REFRESH_MILLISECONDS = 200;

let accessTokenSeconds = Number(process.env.ACCESS_TOKEN_SECONDS ?? 3600);
const counts = new Map();
const errors = [];

function count(name) {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

// What the server remembers: for each of its models, by identifier. Of an opaque token that is the token itself.
const kept = new Map();
const issued = new Set();
const SECRET_MODELS = new Set(["AccessToken", "AuthorizationCode", "DeviceCode", "RefreshToken"]);

class Memory {
  constructor(model) {
    this.secret = SECRET_MODELS.has(model);
    this.entries = new Map();
    kept.set(model, this.entries);
  }

  async upsert(id, entry) {
    this.entries.set(id, entry);
    if (this.secret) issued.add(id);
  }

  async find(id) {
    return this.entries.get(id);
  }

  async findByUid(uid) {
    return [...this.entries.values()].find((entry) => entry.uid === uid);
  }

  async findByUserCode(userCode) {
    return [...this.entries.values()].find((entry) => entry.userCode === userCode);
  }

  async consume(id) {
    this.entries.get(id).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    this.entries.delete(id);
  }

  async revokeByGrantId(grantId) {
    for (const [id, entry] of this.entries) {
      if (entry.grantId === grantId) this.entries.delete(id);
    }
  }
}

function configuration() {
  const redirects = { application_type: "native", redirect_uris: ["http://127.0.0.1/oauth2callback"] };
  const grants = { grant_types: ["authorization_code", "refresh_token", DEVICE], response_types: ["code"] };
  return {
    adapter: Memory,
    clients: [
      { client_id: "native", token_endpoint_auth_method: "none", ...redirects, ...grants },
      {
        client_id: "confidential",
        client_secret: "a-client-secret",
        token_endpoint_auth_method: "client_secret_basic",
        ...redirects,
        ...grants,
      },
    ],
    features: {
      deviceFlow: { enabled: true },
      devInteractions: { enabled: false },
      revocation: { enabled: true },
    },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    responseTypes: ["code"],
    // By itself it rotates only those of public clients.
    rotateRefreshToken: true,
    ttl: {
      AccessToken: () => accessTokenSeconds,
      AuthorizationCode: 60,
      DeviceCode: 600,
      Grant: 86_400,
      IdToken: 3600,
      Interaction: 600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
  };
}

// Token requests count as their grant type, `…_failed` and, of a device that still waits, `…_pending`; revocations as
// what was revoked. A token that is not known is `revoked_nothing`: RFC 7009 has no error for that.
async function counting(ctx, next) {
  await next();
  const { params, entities, route } = ctx.oidc ?? {};
  if (ctx.method !== "POST") return;
  if (route === "token") {
    const grant = params?.grant_type === DEVICE ? "device_code" : (params?.grant_type ?? "no_grant_type");
    const pending = ["authorization_pending", "slow_down"].includes(ctx.body?.error);
    count(ctx.status === 200 ? grant : `${grant}_${pending ? "pending" : "failed"}`);
    if (grant === "refresh_token") await pause(REFRESH_MILLISECONDS);
  } else if (route === "revocation") {
    if (ctx.status !== 200) count("revoked_failed");
    else if (entities.RefreshToken) count("revoked_refresh_token");
    else count(entities.AccessToken ? "revoked_access_token" : "revoked_nothing");
  }
}

// The login and the consent, in the place of pages and a person.
async function interact(provider, request, response, agreed) {
  const { prompt, session, params, grantId } = await provider.interactionDetails(request, response);
  if (!agreed) {
    const result = { error: "access_denied", error_description: `${ACCOUNT} said no` };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  if (prompt.name === "login") {
    return provider.interactionFinished(request, response, { login: { accountId: ACCOUNT } });
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(" "));
  const result = { consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result);
}

function send(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

function refuse(response, status, code, message) {
  send(response, status, { error: { message, type: "invalid_request_error", param: null, code } });
}

async function completion(request, response) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const asked = JSON.parse(Buffer.concat(pieces).toString());
  if (asked.model !== MODEL) return refuse(response, 404, "model_not_found", `no model is called ${asked.model}`);
  const head = { id: "chatcmpl-guarded", created: 1_760_000_000, model: MODEL };
  const usage = { prompt_tokens: 3, completion_tokens: 9, total_tokens: 12 };
  if (!asked.stream) {
    const message = { role: "assistant", content: ANSWER };
    const choices = [{ index: 0, message, finish_reason: "stop" }];
    return send(response, 200, { ...head, object: "chat.completion", choices, usage });
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const chunk = (choices, more) =>
    response.write(`data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices, ...more })}\n\n`);
  const delta = (value, finish = null) => chunk([{ index: 0, delta: value, finish_reason: finish }]);
  delta({ role: "assistant", content: "" });
  for (const word of ANSWER.split(/(?<= )/)) delta({ content: word });
  delta({}, "stop");
  if (asked.stream_options?.include_usage) chunk([], { usage });
  response.end("data: [DONE]\n\n");
}

async function upstream(provider, request, response, path) {
  const [, bearer] = /^Bearer (.+)$/.exec(request.headers.authorization ?? "") ?? [];
  const token = await provider.AccessToken.find(bearer);
  if (!token?.isValid) {
    count("calls_refused");
    return refuse(response, 401, "invalid_api_key", "the access token is not or no longer good");
  }
  count("calls");
  if (request.method === "GET" && path === "/llm/v1/models") {
    const model = { id: MODEL, object: "model", created: 1_760_000_000, owned_by: ACCOUNT };
    return send(response, 200, { object: "list", data: [model] });
  }
  if (request.method === "POST" && path === "/llm/v1/chat/completions") return completion(request, response);
  return refuse(response, 404, "not_found", `there is no ${path}`);
}

function control(request, response, { pathname, searchParams }) {
  switch (`${request.method} ${pathname}`) {
    case "GET /control/counts":
      return send(response, 200, { ...Object.fromEntries(counts), errors });
    case "GET /control/secrets":
      return send(response, 200, [...issued]);
    case "POST /control/expire":
      kept.get("AccessToken")?.clear();
      return send(response, 200, {});
    case "POST /control/refuse-refresh":
      kept.get("Grant")?.clear();
      return send(response, 200, {});
    case "POST /control/life":
      accessTokenSeconds = Number(searchParams.get("seconds"));
      return send(response, 200, {});
    default:
      return send(response, 404, {});
  }
}

// Devices ask every five seconds, after which Node would just be closing the connection.
const server = createServer({ keepAliveTimeout: 60_000 });
server.listen(0, "127.0.0.1", () => {
  const address = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(address, configuration());
  provider.use(counting);
  // What callers are told is deliberately vague; the one who reads a failed check wants the reason.
  for (const event of ["authorization.error", "device_authorization.error", "grant.error", "revocation.error"]) {
    provider.on(event, (ctx, error) => {
      if (error.error === "authorization_pending") return;
      const reason = error.error_detail ?? error.error_description;
      errors.push(`${event} ${ctx.oidc.params?.grant_type ?? ""}: ${error.error}: ${reason}`);
    });
  }
  provider.on("server_error", (_, error) => console.error(error));
  const authorization = provider.callback();

  const answer = async (request, response) => {
    const url = new URL(request.url, address);
    const interaction = /^\/interaction\/[^/]+(\/abort)?$/.exec(url.pathname);
    if (interaction) return interact(provider, request, response, !interaction[1]);
    if (url.pathname.startsWith("/llm/")) return upstream(provider, request, response, url.pathname);
    if (url.pathname.startsWith("/control/")) return control(request, response, url);
    return authorization(request, response);
  };
  server.on("request", (request, response) => {
    answer(request, response).catch((error) => {
      console.error(error);
      if (!response.headersSent) send(response, 500, { error: String(error) });
    });
  });
  console.log(`listening on ${address}`);
});

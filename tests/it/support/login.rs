//! A fake login server, with a small API behind it that takes what it has granted. It is strict about what it is asked,
//! in the exact forms of iFlow (`upstreams.md` 1.2), of OpenRouter (<https://openrouter.ai/docs/oauth>), and of the
//! standards; refresh tokens are good for one use, and using one again ends the login.

use super::fake::{Asked, Provider, Refusal};
use super::upstream::{Exchange, Upstream};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use url::Url;

pub const CLIENT: &str = "10009311001";
pub const SECRET: &str = "a-client-secret-5tY8-never-shown";

/// Whose forms it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Standard,
    Iflow,
    Openrouter,
}

/// The server's state, which tests look at and change.
#[derive(Clone)]
pub struct Login(Arc<Mutex<State>>);

struct State {
    form: Form,
    count: usize,
    codes: HashMap<String, Option<String>>,
    refresh_token: Option<String>,
    access_token: Option<String>,
    key: Option<String>,
    life: u64,
    /// What the next requests to these paths are answered instead.
    instead: VecDeque<(&'static str, Exchange)>,
    /// To which path the next answer waits for `go`.
    late: Option<&'static str>,
    refuses_all: bool,
    asked: Vec<(String, HashMap<String, String>)>,
}

impl Login {
    pub fn new(form: Form) -> Self {
        Self(Arc::new(Mutex::new(State {
            form,
            count: 0,
            codes: HashMap::new(),
            refresh_token: None,
            access_token: None,
            key: None,
            life: 172_800,
            instead: VecDeque::new(),
            late: None,
            refuses_all: false,
            asked: Vec::new(),
        })))
    }

    /// The same, listening; a request that breaks its rules fails the test.
    pub async fn listen(&self) -> Upstream {
        Upstream::strict(self.clone()).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Grants a login without any request: the tokens and, at iFlow, the key.
    pub fn grant(&self) -> Granted {
        self.state().grant()
    }

    /// Has everything that was granted refused, but for refresh tokens.
    pub fn expire(&self) {
        let mut state = self.state();
        (state.access_token, state.key) = (None, None);
    }

    /// Has it refuse every call to the API from now on, whatever is shown.
    pub fn refuse_all(&self) {
        self.state().refuses_all = true;
    }

    /// Has refresh tokens refused.
    pub fn forget(&self) {
        self.state().refresh_token = None;
    }

    /// Has this refresh token be the good one.
    pub fn accept(&self, refresh_token: &str) {
        self.state().refresh_token = Some(refresh_token.to_owned());
    }

    /// How long what it grants lives, in seconds.
    pub fn life(&self, seconds: u64) {
        self.state().life = seconds;
    }

    /// Answers the next request to a path (without its query) in this way instead.
    pub fn instead(&self, path: &'static str, exchange: Exchange) {
        self.state().instead.push_back((path, exchange));
    }

    /// Has its own next answer to a path wait for `go`.
    pub fn late(&self, path: &'static str) {
        self.state().late = Some(path);
    }

    /// What was asked of a path, oldest first: the form or query, and the `authorization`.
    pub fn asked(&self, path: &str) -> Vec<HashMap<String, String>> {
        let state = self.state();
        state.asked.iter().filter(|(asked, _)| asked == path).map(|(_, form)| form.clone()).collect()
    }

    /// The tokens and keys that are good now.
    pub fn good(&self) -> Granted {
        let state = self.state();
        Granted {
            access_token: state.access_token.clone().unwrap_or_default(),
            refresh_token: state.refresh_token.clone().unwrap_or_default(),
            key: state.key.clone().unwrap_or_default(),
        }
    }

    /// Does what a browser does with the address of a login: checks it, and gives where it is sent back to.
    pub fn visit(&self, address: &str) -> Url {
        let url = Url::parse(address).unwrap();
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let mut state = self.state();
        state.count += 1;
        let code = format!("code-{}-7Kw3-never-shown", state.count);
        let (redirect, challenge) = match state.form {
            Form::Standard => {
                assert_eq!(query["response_type"], "code");
                assert_eq!(query["client_id"], CLIENT);
                assert_eq!(query["code_challenge_method"], "S256");
                (query["redirect_uri"].clone(), Some(query["code_challenge"].clone()))
            }
            Form::Iflow => {
                let mut names: Vec<&str> = query.keys().map(String::as_str).collect();
                names.sort_unstable();
                assert_eq!(names, ["client_id", "loginMethod", "redirect", "state", "type"], "{address}");
                assert_eq!(
                    [&query["loginMethod"], &query["type"], &query["client_id"]],
                    ["phone", "phone", CLIENT]
                );
                (query["redirect"].clone(), None)
            }
            Form::Openrouter => {
                let mut names: Vec<&str> = query.keys().map(String::as_str).collect();
                names.sort_unstable();
                assert_eq!(names, ["callback_url", "code_challenge", "code_challenge_method"], "{address}");
                assert_eq!(query["code_challenge_method"], "S256");
                (query["callback_url"].clone(), Some(query["code_challenge"].clone()))
            }
        };
        state.codes.insert(code.clone(), challenge);
        let mut back = Url::parse(&redirect).unwrap();
        back.query_pairs_mut().append_pair("code", &code);
        if let Some(state) = query.get("state") {
            back.query_pairs_mut().append_pair("state", state);
        }
        back
    }
}

/// What was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub access_token: String,
    pub refresh_token: String,
    pub key: String,
}

impl State {
    fn grant(&mut self) -> Granted {
        self.count += 1;
        // With what a URL and base64 write in other ways.
        let named = |what: &str| format!("{what}-{}-9Qx2+/~=never-shown", self.count);
        let granted = Granted {
            access_token: named("access"),
            refresh_token: named("refresh"),
            key: if self.form == Form::Iflow { named("sk-key") } else { String::new() },
        };
        self.access_token = Some(granted.access_token.clone());
        self.refresh_token = Some(granted.refresh_token.clone());
        self.key = Some(granted.key.clone()).filter(|key| !key.is_empty());
        granted
    }

    fn tokens(&mut self) -> Exchange {
        let Granted { access_token, refresh_token, .. } = self.grant();
        let body = json!({"access_token": access_token, "refresh_token": refresh_token, "expires_in": self.life,
            "token_type": "bearer", "scope": "read"});
        Exchange::answer(200, body.to_string())
    }

    fn token(&mut self, form: &HashMap<String, String>) -> Result<Exchange, Refusal> {
        let get = |name: &str| form.get(name).map(String::as_str);
        if self.form == Form::Iflow {
            let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
            let shown = [get("authorization"), get("client_id"), get("client_secret")];
            if shown != [Some(&*basic), Some(CLIENT), Some(SECRET)] {
                return Err(Refusal::fault(format!("a client that is not who it should be: {shown:?}")));
            }
        } else if get("client_id") != Some(CLIENT) || get("client_secret").is_some() {
            return Err(Refusal::fault("a public client shows its id, and nothing else"));
        }
        match get("grant_type") {
            Some("authorization_code") => {
                let challenge = self.codes.remove(get("code").unwrap_or_default());
                let Some(challenge) = challenge else { return Ok(invalid_grant()) };
                if get("redirect_uri").is_none_or(|uri| !uri.contains("/oauth2callback")) {
                    return Err(Refusal::fault("no redirect"));
                }
                if challenge != get("code_verifier").map(challenge_of) {
                    return Err(Refusal::fault("a verifier that does not fit its challenge"));
                }
                Ok(self.tokens())
            }
            Some("refresh_token") => {
                if self.refresh_token.as_deref() != get("refresh_token") {
                    // Somebody uses one a second time: whoever holds the login may have lost it.
                    self.refresh_token = None;
                    return Ok(invalid_grant());
                }
                Ok(self.tokens())
            }
            other => Err(Refusal::fault(format!("grant_type {other:?}"))),
        }
    }

    fn key_for(&mut self, body: &Value) -> Result<Exchange, Refusal> {
        let challenge = self.codes.remove(body["code"].as_str().unwrap_or_default());
        let Some(Some(challenge)) = challenge else {
            return Ok(Exchange::answer(403, r#"{"error":{"message":"Invalid code","code":403}}"#));
        };
        let verifier = body["code_verifier"].as_str().unwrap_or_default();
        if challenge_of(verifier) != challenge || body["code_challenge_method"] != "S256" {
            return Err(Refusal::fault("a verifier that does not fit its challenge"));
        }
        self.count += 1;
        let key = format!("sk-or-v1-{}-9Qx2-never-shown", self.count);
        self.key = Some(key.clone());
        Ok(Exchange::answer(200, json!({"key": key, "user_id": "user_2ada"}).to_string()))
    }

    fn user(&self, query: &HashMap<String, String>) -> Exchange {
        if query.get("accessToken") != self.access_token.as_ref() {
            return Exchange::answer(
                200,
                r#"{"success":false,"code":"401","message":"token invalid","data":null}"#,
            );
        }
        let data = json!({"apiKey": self.key, "email": "ada@example.com", "phone": "13800000000"});
        Exchange::answer(200, json!({"success": true, "data": data}).to_string())
    }

    fn call(&self, asked: &Asked, body: &Value) -> Exchange {
        let good = self.key.as_ref().or(self.access_token.as_ref()).map(|good| format!("Bearer {good}"));
        let shown = asked.request.head.get("authorization").map(str::to_owned);
        if good.is_none() || shown != good || self.refuses_all {
            return match self.form {
                Form::Iflow => Exchange::answer(
                    200,
                    r#"{"status":"439","msg":"Your API Token has expired.","body":null}"#,
                ),
                Form::Standard | Form::Openrouter => {
                    let shown = shown.unwrap_or_default();
                    let error =
                        json!({"error": {"message": format!("not good: {shown}"), "code": "invalid_token"}});
                    Exchange::answer(401, error.to_string())
                }
            };
        }
        if asked.line.starts_with("GET ") {
            return Exchange::answer(200, r#"{"object":"list","data":[{"id":"m"}]}"#);
        }
        if body["stream"] == true {
            let delta = |delta: Value, finish: Value| {
                let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
                format!(
                    "data: {}\n\n",
                    json!({"id": "c", "object": "chat.completion.chunk", "created": 1,
                    "model": body["model"], "choices": [choice]})
                )
            };
            let said = [
                delta(json!({"role": "assistant", "content": "Come in."}), Value::Null),
                delta(json!({}), json!("stop")),
                "data: [DONE]\n\n".to_owned(),
            ];
            return Exchange::stream(said.concat());
        }
        let message = json!({"role": "assistant", "content": "Come in."});
        let whole = json!({"id": "c", "object": "chat.completion", "created": 1, "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}});
        Exchange::answer(200, whole.to_string())
    }
}

impl Provider for Login {
    fn answer(&self, asked: &Asked) -> Result<Exchange, Refusal> {
        let target = asked.line.split(' ').nth(1).unwrap_or_default();
        let url = Url::parse(&format!("http://localhost{target}")).unwrap();
        let body = String::from_utf8_lossy(&asked.request.body).into_owned();
        let json: Value = serde_json::from_str(&body).unwrap_or_default();
        let mut form: HashMap<String, String> = url.query_pairs().into_owned().collect();
        if asked.request.head.get("content-type").is_some_and(|kind| kind.contains("form-urlencoded")) {
            form.extend(url::form_urlencoded::parse(body.as_bytes()).into_owned());
        }
        if let Some(shown) = asked.request.head.get("authorization") {
            form.insert("authorization".to_owned(), shown.to_owned());
        }
        if let Some(object) = json.as_object() {
            form.extend(
                object.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))),
            );
        }
        let mut state = self.state();
        let path = url.path().to_owned();
        state.asked.push((path.clone(), form.clone()));
        if let Some(at) = state.instead.iter().position(|(wanted, _)| *wanted == path) {
            return Ok(state.instead.remove(at).unwrap().1);
        }
        let answer = match (asked.line.split(' ').next(), path.as_str()) {
            (Some("POST"), "/oauth/token") => state.token(&form),
            (Some("POST"), "/oauth/revoke") => {
                state.refresh_token = None;
                Ok(Exchange::answer(200, ""))
            }
            (Some("POST"), "/api/v1/auth/keys") => state.key_for(&json),
            (Some("GET"), "/api/oauth/getUserInfo") => Ok(state.user(&form)),
            (_, "/v1/chat/completions" | "/v1/models" | "/v1/key") => Ok(state.call(asked, &json)),
            _ => Err(Refusal::fault(format!("nothing is at {}", asked.line))),
        };
        let is_late = state.late.take_if(|late| *late == path).is_some();
        answer.map(|exchange| if is_late { exchange.late() } else { exchange })
    }
}

fn invalid_grant() -> Exchange {
    Exchange::answer(400, r#"{"error":"invalid_grant","error_description":"the grant is not good"}"#)
}

fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref())
}

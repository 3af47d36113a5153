//! The routes beside chat: the list of models, plain completions, embeddings.

use super::MODELS;
use super::plan::Refusal;
use super::play::Side;
use super::words;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The list of models.
pub(super) fn models(created: u64) -> Value {
    let models = MODELS
        .map(|id| json!({"id": id, "object": "model", "created": created, "owned_by": "iflow2api-demo"}));
    json!({"object": "list", "data": models})
}

/// Answers a plain completion.
pub(super) fn completion(body: &[u8], number: u64, created: u64) -> Result<Side, Refusal> {
    let body = parse(body)?;
    let prompt = match body.get("prompt") {
        Some(Value::String(prompt)) => prompt.clone(),
        Some(Value::Array(prompts)) => {
            prompts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        }
        _ => return Err(Refusal::new(400, "prompt must be a text or a list of texts").about("prompt")),
    };
    let text = format!(" (the demo upstream of iflow2api completes nothing, it was given: {prompt})");
    let said = words::words(&text);
    let value = |text: &str, finish_reason: Option<&str>, usage: Option<Value>| {
        json!({
            "id": format!("cmpl-demo-{number}"),
            "object": "text_completion",
            "created": created,
            "model": model(&body),
            "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": finish_reason}],
            "usage": usage,
        })
    };
    if body.get("stream") == Some(&Value::Bool(true)) {
        let pieces = words::pieces(&said);
        let chunks = pieces.iter().map(|piece| value(piece, None, None));
        return Ok(Side::Stream(chunks.chain([value("", Some("stop"), None)]).collect()));
    }
    let prompt_tokens = words::count(&prompt);
    let usage = json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": said.len(),
        "total_tokens": prompt_tokens + said.len(),
    });
    Ok(Side::Whole(value(&text, Some("stop"), Some(usage))))
}

/// Answers with a vector per input, made from its hash: the same for the same input, and nothing more.
pub(super) fn embeddings(body: &[u8]) -> Result<Value, Refusal> {
    let body = parse(body)?;
    let inputs: Vec<&Value> = match body.get("input") {
        Some(input @ Value::String(_)) => vec![input],
        // A list of numbers is one input in tokens.
        Some(input @ Value::Array(items)) if items.first().is_some_and(Value::is_number) => vec![input],
        Some(Value::Array(items)) if !items.is_empty() => items.iter().collect(),
        _ => return Err(Refusal::new(400, "input must be a text or a list").about("input")),
    };
    let in_base64 = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let mut tokens = 0;
    let mut list = Vec::new();
    for (index, input) in inputs.into_iter().enumerate() {
        tokens += input.as_str().map_or_else(|| input.as_array().map_or(1, Vec::len), words::count);
        let vector = vector(&input.to_string());
        let embedding = if in_base64 { json!(base64(&vector)) } else { json!(vector) };
        list.push(json!({"object": "embedding", "index": index, "embedding": embedding}));
    }
    Ok(json!({
        "object": "list",
        "data": list,
        "model": model(&body),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }))
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new(400, format!("the body is not JSON: {error}")))
}

fn model(body: &Value) -> &str {
    body.get("model").and_then(Value::as_str).unwrap_or("demo-echo")
}

/// Eight numbers from -1 to 1 out of the text's FNV-1a hash, each exact as a 32-bit float.
fn vector(text: &str) -> [f32; 8] {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    hash.to_le_bytes().map(|byte| f32::from(byte) / 128.0 - 1.0)
}

/// The little-endian bytes of a vector, as the official clients ask for them by default.
fn base64(vector: &[f32]) -> String {
    STANDARD.encode(vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_in_base64_is_its_little_endian_floats() {
        assert_eq!(base64(&[1.0, -0.5]), "AACAPwAAAL8=");
    }

    #[test]
    fn the_same_input_has_the_same_vector() {
        assert_eq!(vector("a"), vector("a"));
        assert_ne!(vector("a"), vector("b"));
    }

    #[test]
    fn every_input_has_an_embedding() {
        for (input, count) in
            [(json!("a"), 1), (json!(["a", "b"]), 2), (json!([1, 2]), 1), (json!([[1], [2]]), 2)]
        {
            let answer = embeddings(json!({"input": input}).to_string().as_bytes()).unwrap();
            assert_eq!(answer["data"].as_array().unwrap().len(), count, "{input}");
        }
    }

    #[test]
    fn a_missing_input_is_refused_by_name() {
        assert_eq!(embeddings(b"{}").unwrap_err().param, Some("input"));
        assert_eq!(completion(b"{}", 1, 0).unwrap_err().param, Some("prompt"));
    }
}

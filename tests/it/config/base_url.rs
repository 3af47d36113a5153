//! One form for the many ways to write a base URL.

use iflow2api::config::base_url::normalise;
use iflow2api::error::ErrorKind;
use proptest::prelude::*;

#[test]
fn the_ways_to_write_a_base_url_become_one() {
    let table = [
        ("http://h:1", "http://h:1/v1"),
        ("http://h:1/", "http://h:1/v1"),
        ("http://h:1/v1", "http://h:1/v1"),
        ("http://h:1/v1/", "http://h:1/v1"),
        ("http://h:1/v1//", "http://h:1/v1"),
        ("  http://h:1/v1\n", "http://h:1/v1"),
        ("http://h:1/chat/completions", "http://h:1/v1"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1"),
        ("http://h:1/v1/chat/completions/", "http://h:1/v1"),
        ("https://api.z.ai/api/paas/v4", "https://api.z.ai/api/paas/v4"),
        ("https://api.z.ai/api/paas/v4/", "https://api.z.ai/api/paas/v4"),
        ("https://api.z.ai/api/paas/v4/chat/completions", "https://api.z.ai/api/paas/v4"),
        ("HTTPS://API.Example.COM:443/V1", "https://api.example.com/V1"),
        ("http://[::1]:11434", "http://[::1]:11434/v1"),
        ("http://127.0.0.1:8080/my-chat/completions", "http://127.0.0.1:8080/my-chat/completions"),
    ];
    for (written, expected) in table {
        assert_eq!(normalise(written).unwrap(), expected, "{written}");
    }
}

#[test]
fn what_is_no_base_url_is_refused_and_not_repeated() {
    let example = "write it like `https://api.example.com/v1`";
    let table = [
        ("", "the base URL must begin with `http://` or `https://`", example),
        ("sk-secret-pasted-here", "the base URL must begin with `http://` or `https://`", example),
        ("localhost:8080", "the base URL must begin with `http://` or `https://`", example),
        ("http:h:1", "the base URL must begin with `http://` or `https://`", example),
        ("ftp://h/v1", "the base URL must be an http or https address, not `ftp`", example),
        ("http://", "the base URL must name a host", example),
        ("http:///v1", "the base URL must name a host", example),
        ("http://:80/v1", "the base URL must name a host", example),
        ("http://h:99999", "the base URL must be an address (invalid port number)", example),
        ("http://h /v1", "the base URL must be an address without spaces or backslashes", example),
        ("http://h\\v1", "the base URL must be an address without spaces or backslashes", example),
        (
            "https://user:secret@h/v1",
            "the base URL must not hold a user name or password",
            "put the key under `key` or `key_env`, other credentials under `headers`",
        ),
        (
            "https://h/v1?key=secret",
            "the base URL must end before the `?` or `#`",
            "leave the query out; a key belongs under `key` or `key_env`",
        ),
        (
            "https://h/v1#top",
            "the base URL must end before the `?` or `#`",
            "leave the query out; a key belongs under `key` or `key_env`",
        ),
    ];
    for (written, message, hint) in table {
        let error = normalise(written).unwrap_err();
        let said = (error.kind(), error.message(), error.hint().unwrap());
        assert_eq!(said, (ErrorKind::Usage, message, hint), "{written}");
    }
}

proptest! {
    #[test]
    fn a_normal_base_url_stays_as_it_is(path in "(/|/v1|/chat/completions|/[a-z0-9%.]{0,5}){0,6}") {
        if let Ok(once) = normalise(&format!("https://h{path}")) {
            prop_assert_eq!(normalise(&once).unwrap(), once);
        }
    }

    #[test]
    fn no_text_upsets_the_check(text in ".{0,60}") {
        if let Ok(address) = normalise(&text) {
            prop_assert!(address.starts_with("http://") || address.starts_with("https://"));
            prop_assert!(!address.ends_with('/'));
        }
    }
}

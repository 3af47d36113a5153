//! The grammar that every event stream keeps, whatever the upstream does.

use iflow2api::wire::anthropic::{Block, BlockDelta, Event};

/// Fails unless the events are `message_start (block_start block_delta* block_stop)*
/// (message_delta message_stop | error)`, or `error` alone, with pings anywhere.
pub fn check(events: &[Event], name: &str) {
    let mut events = events.iter().filter(|event| !matches!(event, Event::Ping)).peekable();
    match events.next() {
        Some(Event::MessageStart { .. }) => {}
        Some(Event::Error { .. }) => return assert!(events.next().is_none(), "{name}: more after the error"),
        other => panic!("{name}: begins with {other:?}"),
    }
    let mut next_index = 0;
    loop {
        match events.next() {
            Some(Event::ContentBlockStart { index, content_block }) => {
                assert_eq!(*index, next_index, "{name}");
                loop {
                    match events.next() {
                        Some(Event::ContentBlockDelta { index, delta }) => {
                            assert_eq!(*index, next_index, "{name}");
                            assert!(fits(content_block, delta), "{name}: {delta:?} in {content_block:?}");
                        }
                        Some(Event::ContentBlockStop { index }) => {
                            assert_eq!(*index, next_index, "{name}");
                            next_index += 1;
                            break;
                        }
                        other => panic!("{name}: {other:?} inside a block"),
                    }
                }
            }
            Some(Event::MessageDelta { .. }) => {
                assert_eq!(events.next(), Some(&Event::MessageStop), "{name}");
                break;
            }
            Some(Event::Error { .. }) => break,
            other => panic!("{name}: {other:?} between blocks"),
        }
    }
    assert_eq!(events.next(), None, "{name}: more after the end");
}

fn fits(block: &Block, delta: &BlockDelta) -> bool {
    match block {
        Block::Text { .. } => matches!(delta, BlockDelta::TextDelta { .. }),
        Block::Thinking { .. } => {
            matches!(delta, BlockDelta::ThinkingDelta { .. } | BlockDelta::SignatureDelta { .. })
        }
        Block::ToolUse { .. } => matches!(delta, BlockDelta::InputJsonDelta { .. }),
    }
}

//! The event-stream format: frames out of bytes, and bytes out of events.
//!
//! The reader takes whatever providers send (B33): `data:` with or without a space, LF, CRLF or
//! CR, a byte-order mark, comments, several data lines, a last line without an end, and one JSON
//! body where a stream was expected. Its memory is bounded by [`MAX_EVENT_BYTES`].

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memchr2;
use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// How large one event may be. Chosen: several times the largest image that a model returns inline.
pub const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The event's name, where it has one.
    pub event: Option<String>,
    /// The data lines, joined by line feeds.
    pub data: Bytes,
    /// The event as it came, where it is already in the one form that we write.
    raw: Option<Bytes>,
}

impl Frame {
    /// An event without a name.
    pub fn data(data: impl Into<Bytes>) -> Self {
        Self { event: None, data: data.into(), raw: None }
    }

    /// An event with a name, where there is one.
    pub fn named(event: Option<String>, data: impl Into<Bytes>) -> Self {
        Self { event, data: data.into(), raw: None }
    }

    /// An event whose data is this value as one line of JSON.
    pub fn json<T: Serialize + ?Sized>(event: Option<&'static str>, value: &T) -> Self {
        let mut text = Vec::with_capacity(192);
        if let Some(event) = event {
            text.extend_from_slice(b"event: ");
            text.extend_from_slice(event.as_bytes());
            text.push(b'\n');
        }
        text.extend_from_slice(b"data: ");
        let start = text.len();
        // Our own event types hold nothing whose serialisation can fail.
        let _ = serde_json::to_writer(&mut text, value);
        let end = text.len();
        text.extend_from_slice(b"\n\n");
        let raw = Bytes::from(text);
        Self { event: event.map(str::to_owned), data: raw.slice(start..end), raw: Some(raw) }
    }

    /// A comment, which readers skip: it only keeps the connection alive.
    pub fn comment(text: &'static str) -> Self {
        Self { event: None, data: Bytes::new(), raw: Some(Bytes::from_static(text.as_bytes())) }
    }

    /// Whether this is the OpenAI API's last event.
    pub fn is_done(&self) -> bool {
        self.data.trim_ascii() == b"[DONE]"
    }

    /// The event as bytes: as it came, where nobody had to change it.
    pub fn into_bytes(self) -> Bytes {
        if let Some(raw) = self.raw {
            return raw;
        }
        let mut text = Vec::with_capacity(self.data.len() + 32);
        if let Some(event) = &self.event {
            text.extend_from_slice(b"event: ");
            text.extend_from_slice(event.as_bytes());
            text.push(b'\n');
        }
        for line in self.data.split(|&byte| byte == b'\n') {
            text.extend_from_slice(b"data: ");
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        text.push(b'\n');
        Bytes::from(text)
    }
}

/// An event, or a body where a stream was expected, is larger than [`MAX_EVENT_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event is larger than {MAX_EVENT_BYTES} bytes")
    }
}

impl std::error::Error for TooLarge {}

/// Splits a byte stream into events, wherever it is cut.
#[derive(Debug)]
pub struct FrameDecoder {
    /// The event that is being read, from its first byte.
    buffer: BytesMut,
    /// Where the line that is being read starts in `buffer`.
    line: usize,
    /// How far `buffer` was searched for the end of that line.
    searched: usize,
    /// Where the event's name and its data lines stand in `buffer`.
    event: Option<Range<usize>>,
    data: Vec<Range<usize>>,
    /// Whether the event is so far in the form that we write.
    canonical: bool,
    after_cr: bool,
    shape: Shape,
}

/// What the stream turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Unknown,
    Events,
    /// One JSON body.
    Whole,
}

impl Default for FrameDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameDecoder {
    /// A reader at the start of a stream.
    pub fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            line: 0,
            searched: 0,
            event: None,
            data: Vec::new(),
            canonical: true,
            after_cr: false,
            shape: Shape::Unknown,
        }
    }

    /// Takes bytes; pushes the events that they complete to `out`.
    ///
    /// # Errors
    /// Where an event is too large. The reader is of no use afterwards.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Frame>) -> Result<(), TooLarge> {
        self.buffer.extend_from_slice(bytes);
        if self.shape == Shape::Unknown {
            self.shape = self.look();
        }
        if self.shape == Shape::Events {
            while self.next_line(out) {}
        }
        if self.buffer.len() > MAX_EVENT_BYTES { Err(TooLarge) } else { Ok(()) }
    }

    /// Ends the stream; pushes what a last line without an end completes.
    pub fn finish(&mut self, out: &mut Vec<Frame>) {
        if self.shape == Shape::Whole {
            let body = std::mem::take(&mut self.buffer).freeze();
            out.push(Frame::data(body.slice_ref(body.trim_ascii())));
            return;
        }
        self.canonical = false;
        self.field(self.line..self.buffer.len());
        self.dispatch(self.buffer.len(), out);
    }

    /// Looks at the first bytes: skips a byte-order mark, and tells a JSON body from a stream.
    fn look(&mut self) -> Shape {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        if self.buffer.starts_with(MARK) {
            self.buffer.advance(MARK.len());
        } else if MARK.starts_with(&self.buffer) {
            return Shape::Unknown;
        }
        match self.buffer.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b'[') => Shape::Whole,
            Some(_) => Shape::Events,
            None => Shape::Unknown,
        }
    }

    /// Reads one line, if a whole one is there.
    fn next_line(&mut self, out: &mut Vec<Frame>) -> bool {
        if self.after_cr && self.line < self.buffer.len() {
            self.after_cr = false;
            if self.buffer.get(self.line) == Some(&b'\n') {
                self.line += 1;
                self.searched = self.line;
            }
        }
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(found) = memchr2(b'\n', b'\r', unsearched) else {
            self.searched = self.buffer.len();
            return false;
        };
        let end = self.searched + found;
        if self.buffer.get(end) == Some(&b'\r') {
            self.after_cr = true;
            self.canonical = false;
        }
        if end == self.line {
            self.dispatch(end + 1, out);
        } else {
            self.field(self.line..end);
            self.line = end + 1;
            self.searched = self.line;
        }
        true
    }

    /// Takes one line without its end.
    fn field(&mut self, line: Range<usize>) {
        let text = self.buffer.get(line.clone()).unwrap_or_default();
        let name = text.split(|&byte| byte == b':').next().unwrap_or_default();
        let spaced = text.get(name.len() + 1) == Some(&b' ');
        let value = (line.start + name.len() + 1 + usize::from(spaced)).min(line.end)..line.end;
        match name {
            b"data" => {
                self.canonical &= spaced && self.data.is_empty();
                self.data.push(value);
            }
            b"event" => self.event = Some(value),
            b"id" | b"retry" => {}
            // A comment, or nothing that the format knows.
            _ => self.canonical = false,
        }
    }

    /// Ends the event that takes up the buffer's first `end` bytes.
    fn dispatch(&mut self, end: usize, out: &mut Vec<Frame>) {
        let raw = self.buffer.split_to(end).freeze();
        self.line = 0;
        self.searched = 0;
        let canonical = std::mem::replace(&mut self.canonical, true);
        let event = self
            .event
            .take()
            .and_then(|range| raw.get(range))
            .map(|name| String::from_utf8_lossy(name).into_owned());
        let data = match self.data.as_slice() {
            [] => return,
            [range] => raw.slice(range.clone()),
            ranges => {
                let lines: Vec<&[u8]> = ranges.iter().filter_map(|range| raw.get(range.clone())).collect();
                Bytes::from(lines.join(&b'\n'))
            }
        };
        self.data.clear();
        out.push(Frame { event, data, raw: canonical.then_some(raw) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<Frame> {
        let mut decoder = FrameDecoder::new();
        let mut frames = Vec::new();
        for piece in pieces {
            decoder.push(piece, &mut frames).expect("small events");
        }
        decoder.finish(&mut frames);
        frames
    }

    fn datas(pieces: &[&[u8]]) -> Vec<String> {
        decode(pieces).iter().map(|frame| String::from_utf8_lossy(&frame.data).into_owned()).collect()
    }

    #[test]
    fn every_tolerated_form_gives_the_same_data() {
        for stream in [
            "data: {\"a\":1}\n\ndata: [DONE]\n\n",
            "data:{\"a\":1}\n\ndata:[DONE]\n\n",
            "data: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\n",
            "data: {\"a\":1}\r\rdata: [DONE]\r\r",
            "\u{feff}: hello\n\n\n\nevent: x\nid: 7\ndata: {\"a\":1}\n\n: keep-alive\n\ndata: [DONE]",
        ] {
            let expected = vec!["{\"a\":1}".to_owned(), "[DONE]".to_owned()];
            assert_eq!(datas(&[stream.as_bytes()]), expected, "{stream:?}");
            for cut in 0..=stream.len() {
                let (head, tail) = stream.as_bytes().split_at(cut);
                assert_eq!(datas(&[head, tail]), expected, "{stream:?} cut at {cut}");
            }
            let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
            assert_eq!(datas(&bytes), expected, "{stream:?} byte by byte");
        }
    }

    #[test]
    fn a_frame_in_our_own_form_is_forwarded_as_its_bytes() {
        let stream = b"event: a\nid: 3\ndata: {\"n\": 1E5 }\n\n";
        let frames = decode(&[stream]);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].clone().into_bytes().as_ref(), stream);
    }

    #[test]
    fn several_data_lines_are_one_text_and_are_written_as_lines_again() {
        let frames = decode(&[b"data: {\r\ndata: \"a\":1}\r\n\r\n"]);
        assert_eq!(frames[0].data.as_ref(), b"{\n\"a\":1}");
        assert_eq!(frames[0].clone().into_bytes().as_ref(), b"data: {\ndata: \"a\":1}\n\n");
    }

    #[test]
    fn a_json_body_is_one_frame() {
        assert_eq!(datas(&[b" \n{\"choices\":", b"[]}\n"]), ["{\"choices\":[]}"]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut decoder = FrameDecoder::new();
        let mut frames = Vec::new();
        let piece = vec![b'x'; 1024 * 1024];
        let refused = (0..17).any(|_| decoder.push(&piece, &mut frames).is_err());
        assert!(refused && frames.is_empty());
    }
}

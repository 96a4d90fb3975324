//! [`StaticFiles`]: a directory that is inside the component, served. With the
//! feature `static-files`.
//!
//! ```toml
//! [dependencies]
//! include_dir = "0.7"
//! innkeeper-guest = { version = "0.1", features = ["static-files"] }
//! ```
//!
//! ```
//! use innkeeper_guest::static_files::{Dir, StaticFiles, include_dir};
//! use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};
//!
//! static SITE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tests/site");
//!
//! #[handler]
//! fn site(req: IncomingMessage, res: ServerResponse) -> Result<()> {
//!     Ok(StaticFiles::new(&SITE).cache_control("public, max-age=600").serve(&req, &res)?)
//! }
//! # fn main() {}
//! ```
//!
//! `target` decides which file is meant, `encodings` in which variant,
//! `conditions` whether it is sent, `ranges` which part of it.

mod target;
mod encodings;
mod conditions;
mod ranges;

use std::hash::{DefaultHasher, Hasher};
use std::path::Path;
use std::time::SystemTime;

pub use include_dir::{Dir, include_dir};

use self::conditions::Verdict;
use self::ranges::Selection;
use self::target::Target;
use crate::{ErrorCode, IncomingMessage, ServerResponse};

/// What is written at once: more waits until the client has taken some of it.
const PIECE_BYTES: usize = 64 * 1024;

/// The files of a directory, and how they are served.
///
/// - `GET` and `HEAD`; any other method is 405.
/// - A folder is its `index.html`; without the slash at its end the client is
///   sent to the one with it.
/// - Each file has an `ETag`, which is made of its content, and
///   `Last-Modified` if [that is known](Self::last_modified). Conditions are
///   evaluated in the order of RFC 9110 13.2.2: 304 and 412.
/// - Ranges (RFC 9110 14): one as 206, several as `multipart/byteranges`, none
///   that there is as 416. Too many, or such that overlap, get the whole file.
/// - `name.br` and `name.gz` beside a file are what clients get that accept
///   that.
/// - `Content-Type` goes by the name, and clients are told not to guess.
/// - A path finds what is in the directory by its name there, and nothing else:
///   `..`, `%2F` and their like are 404.
#[derive(Clone, Debug)]
pub struct StaticFiles {
    dir: &'static Dir<'static>,
    prefix: String,
    cache_control: Option<String>,
    last_modified: Option<SystemTime>,
    not_found: Option<String>,
}

/// A file as it is sent: one of its variants.
struct Variant {
    content: &'static [u8],
    content_type: String,
    encoding: Option<&'static str>,
    /// Whether there are others.
    varies: bool,
    etag: String,
}

impl StaticFiles {
    /// Serves the files of a directory.
    pub fn new(dir: &'static Dir<'static>) -> Self {
        Self { dir, prefix: String::new(), cache_control: None, last_modified: None, not_found: None }
    }

    /// The path below which the directory is, such as `/assets`. Nothing else is
    /// found.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        prefix.trim_end_matches('/').clone_into(&mut self.prefix);
        self
    }

    /// What goes out as `Cache-Control` with every file. Without it caches do as
    /// they think fit.
    #[must_use]
    pub fn cache_control(mut self, value: &str) -> Self {
        self.cache_control = Some(value.to_owned());
        self
    }

    /// When the files changed last: a component does not know, but its author
    /// may, by the time of a release. Fractions of a second are dropped.
    #[must_use]
    pub fn last_modified(mut self, time: SystemTime) -> Self {
        // A date of HTTP has no fractions: what is sent is what is compared.
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.last_modified = Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs()));
        self
    }

    /// The file of the directory that is the body of a 404.
    #[must_use]
    pub fn not_found(mut self, name: &str) -> Self {
        self.not_found = Some(name.to_owned());
        self
    }

    /// Answers a request, with a 404 if there is no such file.
    ///
    /// # Errors
    /// Those of [`ServerResponse::write`].
    pub fn serve(&self, req: &IncomingMessage, res: &ServerResponse) -> Result<(), ErrorCode> {
        if self.try_serve(req, res)? {
            return Ok(());
        }
        res.set_status_code(404);
        let page = self.not_found.as_deref().and_then(|name| Some((name, self.dir.get_file(name)?)));
        match page {
            Some((name, file)) => {
                res.set_header("Content-Type", content_type(name))?;
                send(req, res, &[file.contents()])
            }
            None => {
                res.set_header("Content-Type", "text/plain; charset=utf-8")?;
                send(req, res, &[b"there is no such file\n"])
            }
        }
    }

    /// Answers a request, if there is such a file. If not, it returns `false`,
    /// and nothing was set or sent.
    ///
    /// # Errors
    /// Those of [`serve`](Self::serve).
    pub fn try_serve(&self, req: &IncomingMessage, res: &ServerResponse) -> Result<bool, ErrorCode> {
        let Some(target) = target::find(self.dir, &self.prefix, &req.url()) else {
            return Ok(false);
        };
        if !matches!(&*req.method(), "GET" | "HEAD") {
            res.set_status_code(405);
            res.set_header("Allow", "GET, HEAD")?;
            res.set_header("Content-Type", "text/plain; charset=utf-8")?;
            res.end("files are read with GET and HEAD\n")?;
            return Ok(true);
        }
        match target {
            Target::Folder { location } => {
                res.set_status_code(301);
                res.set_header("Location", location)?;
                res.end_empty()?;
            }
            Target::File(path) => self.send_file(&path, req, res)?,
        }
        Ok(true)
    }

    fn send_file(&self, path: &str, req: &IncomingMessage, res: &ServerResponse) -> Result<(), ErrorCode> {
        let variant = encodings::choose(self.dir, path, req.header_str("accept-encoding").as_deref());
        let known = conditions::Known { etag: &variant.etag, modified: self.last_modified };
        let verdict = conditions::judge(req, &known);
        self.set_validators(&variant, res)?;
        match verdict {
            Verdict::NotModified => {
                res.set_status_code(304);
                res.end_empty()
            }
            Verdict::Failed => {
                res.set_status_code(412);
                res.end_empty()
            }
            Verdict::Send { ranges } => send_selection(&variant, ranges, req, res),
        }
    }

    /// What a 304 says, too (RFC 9110 15.4.5).
    fn set_validators(&self, variant: &Variant, res: &ServerResponse) -> Result<(), ErrorCode> {
        res.set_header("ETag", &variant.etag)?;
        if let Some(modified) = self.last_modified {
            res.set_header("Last-Modified", httpdate::fmt_http_date(modified))?;
        }
        if let Some(value) = &self.cache_control {
            res.set_header("Cache-Control", value)?;
        }
        if variant.varies {
            res.append_header("Vary", "Accept-Encoding")?;
        }
        Ok(())
    }
}

fn send_selection(
    variant: &Variant,
    ranges: bool,
    req: &IncomingMessage,
    res: &ServerResponse,
) -> Result<(), ErrorCode> {
    let content = variant.content;
    let asked = if ranges { req.header_str("range") } else { None };
    let selection = asked.map_or(Selection::Whole, |asked| ranges::select(&asked, content.len()));
    res.set_header("Accept-Ranges", "bytes")?;
    if matches!(selection, Selection::Nothing) {
        res.set_status_code(416);
        res.set_header("Content-Range", format!("bytes */{}", content.len()))?;
        return res.end_empty();
    }
    res.set_header("Content-Type", &variant.content_type)?;
    res.set_header("X-Content-Type-Options", "nosniff")?;
    if let Some(encoding) = variant.encoding {
        res.set_header("Content-Encoding", encoding)?;
    }
    match selection {
        Selection::Whole | Selection::Nothing => send(req, res, &[content]),
        Selection::One(range) => {
            res.set_status_code(206);
            res.set_header("Content-Range", ranges::content_range(&range, content.len()))?;
            send(req, res, &[&content[range]])
        }
        Selection::Several(parts) => {
            res.set_status_code(206);
            let multipart = ranges::Multipart::of(&parts, content, &variant.content_type);
            res.set_header("Content-Type", multipart.content_type())?;
            send(req, res, &multipart.pieces())
        }
    }
}

/// Sends a body of known length, or to HEAD only the length.
fn send(req: &IncomingMessage, res: &ServerResponse, pieces: &[&[u8]]) -> Result<(), ErrorCode> {
    let length = pieces.iter().map(|piece| piece.len()).sum::<usize>();
    res.set_header("Content-Length", length)?;
    if req.method() == "HEAD" {
        return res.end_empty();
    }
    if length <= PIECE_BYTES {
        return res.end(pieces.concat());
    }
    for piece in pieces.iter().flat_map(|piece| piece.chunks(PIECE_BYTES)) {
        res.write(piece)?;
    }
    res.end_empty()
}

/// The media type of a file by its name; text is UTF-8.
fn content_type(name: &str) -> String {
    let media_type = mime_guess::from_path(Path::new(name)).first_or_octet_stream();
    let text = media_type.type_() == "text" || media_type.essence_str() == "application/javascript";
    if text { format!("{}; charset=utf-8", media_type.essence_str()) } else { media_type.to_string() }
}

/// The entity tag of a content. Another release of Rust may hash in another
/// way: then caches ask once more.
fn etag(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(content);
    format!("\"{:x}-{:016x}\"", content.len(), hasher.finish())
}

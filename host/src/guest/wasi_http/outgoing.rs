//! What a guest asks of others through `wasi:http`: its requests go where those
//! of our own contract go (`outbound`), with the same policy, agents, limits,
//! counts and log. Here one becomes a `ClientRequest`; how it goes on with its
//! two bodies is `sending`'s.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::guest::outgoing::Outgoing;
use crate::guest::wasi_http::outgoing_code::{Phase, code_of};
use crate::guest::wasi_http::sending::send;
use crate::outbound::client::Client;
use crate::outbound::connect::Alpn;
use crate::outbound::draft::Opening;
use crate::outbound::error::OutboundError;
use crate::outbound::origin::Origin;
use crate::outbound::request::{self, ClientRequest, Times, Via};
use crate::wire::http1::fields::Line;

/// Bytes of a body that a guest hands over at once. What it has written and
/// nobody has taken is the host's memory, two of these for each body; with
/// fewer, a large body goes back and forth between the two too often.
const CHUNK_BYTES: usize = 64 * 1024;

/// How long a body has to rest for its guest to be taken to wait.
const REST: Duration = Duration::from_millis(10);

/// Bytes of a body that are taken of a request that is not sent.
const REFUSED_BYTES_MAX: usize = 1 << 20;

/// The host's part of `wasi:http`, for one instance.
pub struct Hooks {
    client: Arc<Client>,
    outgoing: Outgoing,
}

/// What goes on beside the two bodies, and how it ended.
pub(super) type Transfer = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// What `send_request` comes to. Dropping it ends the request.
type Answer = Box<dyn Future<Output = Result<(Response<WasiBody>, Transfer), Error>> + Send>;

impl Hooks {
    /// For the instance that `outgoing` counts the requests of.
    pub fn new(client: Arc<Client>, outgoing: Outgoing) -> Self {
        Hooks { client, outgoing }
    }

    fn request_of(&self, head: Parts, options: RequestOptions) -> Result<ClientRequest, OutboundError> {
        let cause = self.outgoing.admit(&self.client)?;
        let scheme = head.uri.scheme_str().unwrap_or_default();
        let authority = head.uri.authority().map_or("", |authority| authority.as_str());
        let opening = Opening {
            origin: Origin::parse(scheme, authority)?,
            path: target_of(&head),
            headers: lines_of(&head),
            auth: None,
            method: head.method.as_str().to_owned(),
        };
        let options = request::RequestOptions {
            opening,
            timeout: None,
            times: Times {
                connect: options.connect_timeout,
                first_byte: options.first_byte_timeout,
                between_bytes: options.between_bytes_timeout,
            },
            head_bytes_max: None,
            alpn: Alpn::Negotiated,
            cause,
        };
        let request = ClientRequest::new(&self.client, options, Via::Global)?;
        self.outgoing.end_with_exchange(&request);
        Ok(request)
    }
}

impl WasiHttpHooks for Hooks {
    /// `Host` is the origin's, as with our own contract.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        // What the guest says of a response that it has read is its own affair.
        _read: Transfer,
    ) -> Answer {
        let (head, body) = request.into_parts();
        // The standard has no tunnels.
        if head.method == Method::CONNECT {
            return Box::new(refused(Error::HttpRequestMethodInvalid, body));
        }
        match self.request_of(head, options.unwrap_or_default()) {
            Ok(request) => Box::new(send(request, body)),
            Err(error) => Box::new(refused(code_of(error, Phase::Head), body)),
        }
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }
}

/// Says why a request is not sent, once its body has ended or rests: a guest
/// that is about to write it would find it closed, and some can tell neither
/// why nor go on.
async fn refused<T>(error: Error, mut body: WasiBody) -> Result<T, Error> {
    let mut bytes = 0;
    while let Ok(Some(Ok(frame))) = timeout(REST, body.frame()).await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > REFUSED_BYTES_MAX {
            break;
        }
    }
    Err(error)
}

/// The request target. `http` leaves the path out before a query.
fn target_of(head: &Parts) -> String {
    match head.uri.path_and_query().map(|target| target.as_str()) {
        None => "/".to_owned(),
        Some(query) if query.starts_with('?') => format!("/{query}"),
        Some(target) => target.to_owned(),
    }
}

fn lines_of(head: &Parts) -> Vec<Line> {
    head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

//! `client-request`: a request of the guest's own (Node:
//! `http.ClientRequest`).

use std::future::poll_fn;
use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;

use crate::guest::api::bindings::innkeeper::http::client::{
    AgentChoice, Host, HostClientRequest, Information, Protocol, RequestOptions, Tunnel,
};
use crate::guest::api::bindings::innkeeper::http::types::ErrorCode;
use crate::guest::api::incoming_message::response_of;
use crate::guest::api::{IncomingMessage, OfOwn, Socket};
use crate::guest::instance::HostState;
use crate::outbound::connect::Alpn;
use crate::outbound::draft::Opening;
use crate::outbound::error::OutboundError;
use crate::outbound::origin::Origin;
use crate::outbound::request::{self, ClientRequest, Times, Via};
use crate::wire::http1::fields::Line;

/// A request that a guest holds; none once its call is over.
pub struct HeldRequest(pub(super) Option<ClientRequest>);

type Own = Resource<HeldRequest>;
type Told<T> = Result<Result<T, ErrorCode>>;

impl Host for HostState {}

impl HostState {
    fn own(&self, request: &Own) -> Result<Result<&ClientRequest, ErrorCode>> {
        Ok(self.table.get(request)?.0.as_ref().ok_or(ErrorCode::Destroyed))
    }

    /// Does `work` on a request, and has it go on as far as it goes at once.
    fn work_on<T>(
        &self,
        request: &Own,
        work: impl FnOnce(&ClientRequest) -> Result<T, OutboundError>,
    ) -> Told<T> {
        Ok(self.own(request)?.and_then(|request| work(request).map_err(ErrorCode::from)))
    }

    /// What `look` sees of a request, or the default of one that is over.
    fn look_at<T: Default>(&self, request: &Own, look: impl FnOnce(&ClientRequest) -> T) -> Result<T> {
        Ok(self.own(request)?.map_or_else(|_| T::default(), look))
    }

    fn make_request(
        &mut self,
        options: RequestOptions,
        agent: AgentChoice,
    ) -> Result<Result<ClientRequest, OutboundError>> {
        let via = match agent {
            AgentChoice::Global => Via::Global,
            AgentChoice::None => Via::None,
            AgentChoice::Agent(agent) => Via::Agent(self.table.get(&agent)?.agent().clone()),
        };
        let make = || {
            let client = self.outbound();
            let cause = self.outgoing().admit(client)?;
            let opening = Opening {
                method: options.method,
                origin: Origin::parse(&options.scheme, &options.authority)?,
                path: options.path,
                headers: options.headers,
                auth: options.auth,
            };
            let options = request::RequestOptions {
                opening,
                timeout: timeout_of(options.timeout),
                times: Times::default(),
                head_bytes_max: options.max_header_size,
                alpn: match options.protocol {
                    Protocol::Http1 => Alpn::Http1,
                    Protocol::Negotiated => Alpn::Negotiated,
                    Protocol::Http2 => Alpn::Http2,
                },
                cause,
            };
            ClientRequest::new(client, options, via)
        };
        Ok(make())
    }

    /// Gives a guest the connection that speaks another protocol now.
    fn tunnel_of(&mut self, request: &ClientRequest, head: Vec<u8>) -> Result<Option<Tunnel>> {
        let Some(response) = response_of(request) else { return Ok(None) };
        let response = self.table.push(response)?;
        let socket = self.table.push(Socket::Request(Some(request.clone())))?;
        Ok(Some(Tunnel { response, socket, head }))
    }

    async fn wait_for_tunnel(&mut self, request: &ClientRequest) -> Told<Option<Tunnel>> {
        match poll_fn(|cx| request.poll_tunnel(cx)).await {
            Ok(Some(head)) => Ok(Ok(self.tunnel_of(request, head)?)),
            Ok(None) => Ok(Ok(None)),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

/// 0 is none.
fn timeout_of(milliseconds: u32) -> Option<Duration> {
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds.into()))
}

/// Goes on with a request that is there, or says that it is not.
macro_rules! request {
    ($state:expr, $own:expr) => {
        match $state.own(&$own)? {
            Ok(request) => request.clone(),
            Err(error) => return Ok(Err(error)),
        }
    };
}

impl HostClientRequest for HostState {
    fn new(&mut self, options: RequestOptions, agent: AgentChoice) -> Told<Own> {
        match self.make_request(options, agent)? {
            Ok(request) => {
                self.remember(&request);
                Ok(Ok(self.table.push(HeldRequest(Some(request)))?))
            }
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn set_header(&mut self, own: Own, name: String, values: Vec<Vec<u8>>) -> Told<()> {
        self.work_on(&own, |request| {
            Ok(request.change_fields(|fields, limits| fields.set(&name, values, limits))?)
        })
    }

    fn append_header(&mut self, own: Own, name: String, values: Vec<Vec<u8>>) -> Told<()> {
        self.work_on(&own, |request| {
            Ok(request.change_fields(|fields, limits| fields.append(&name, values, limits))?)
        })
    }

    fn get_header(&mut self, own: Own, name: String) -> Result<Option<Vec<Vec<u8>>>> {
        self.look_at(&own, |request| {
            request.look_at_fields(|fields| {
                let values = || fields.values(&name).map(<[u8]>::to_vec).collect();
                fields.has(&name).then(values)
            })
        })
    }

    fn has_header(&mut self, own: Own, name: String) -> Result<bool> {
        self.look_at(&own, |request| request.look_at_fields(|fields| fields.has(&name)))
    }

    fn header_names(&mut self, own: Own) -> Result<Vec<String>> {
        self.look_at(&own, |request| request.look_at_fields(|fields| fields.names()))
    }

    fn remove_header(&mut self, own: Own, name: String) -> Told<()> {
        self.work_on(&own, |request| {
            Ok(request.change_fields(|fields, _| {
                fields.remove(&name);
                Ok(())
            })?)
        })
    }

    fn headers_sent(&mut self, own: Own) -> Result<bool> {
        self.look_at(&own, ClientRequest::headers_sent)
    }

    fn flush_headers(&mut self, own: Own) -> Told<()> {
        self.work_on(&own, ClientRequest::flush_headers)
    }

    async fn write(&mut self, own: Own, chunk: Vec<u8>) -> Told<()> {
        let request = request!(self, own);
        if let Err(error) = request.write(chunk, false) {
            return Ok(Err(error.into()));
        }
        if !request.is_full() {
            return Ok(Ok(()));
        }
        Ok(poll_fn(|cx| request.poll_room(cx)).await.map_err(ErrorCode::from))
    }

    fn try_write(&mut self, own: Own, chunk: Vec<u8>) -> Told<bool> {
        self.work_on(&own, |request| {
            request.write(chunk, true)?;
            Ok(request.is_full())
        })
    }

    fn end(&mut self, own: Own, chunk: Option<Vec<u8>>) -> Told<()> {
        self.work_on(&own, |request| request.end(chunk))
    }

    fn add_trailers(&mut self, own: Own, trailers: Vec<Line>) -> Told<()> {
        self.work_on(&own, |request| request.add_trailers(trailers))
    }

    fn set_timeout(&mut self, own: Own, milliseconds: u32) -> Result<()> {
        self.look_at(&own, |request| request.set_timeout(timeout_of(milliseconds)))
    }

    fn set_no_delay(&mut self, own: Own, enable: bool) -> Result<()> {
        self.look_at(&own, |request| request.set_no_delay(enable))
    }

    fn set_socket_keep_alive(&mut self, own: Own, enable: bool, initial_delay: u32) -> Result<()> {
        let initial_delay = Duration::from_millis(initial_delay.into());
        self.look_at(&own, |request| request.set_socket_keep_alive(enable, initial_delay))
    }

    fn reused_socket(&mut self, own: Own) -> Result<bool> {
        self.look_at(&own, |request| request.below().is_some_and(|below| below.reused))
    }

    async fn response(&mut self, own: Own) -> Told<Resource<IncomingMessage>> {
        let request = request!(self, own);
        if let Err(error) = poll_fn(|cx| request.poll_response(cx)).await {
            return Ok(Err(error.into()));
        }
        match response_of(&request) {
            Some(response) => Ok(Ok(self.table.push(response)?)),
            None => Ok(Err(ErrorCode::Destroyed)),
        }
    }

    async fn continue_(&mut self, own: Own) -> Told<bool> {
        let request = request!(self, own);
        Ok(poll_fn(|cx| request.poll_continue(cx)).await.map_err(ErrorCode::from))
    }

    async fn information(&mut self, own: Own) -> Told<Option<Information>> {
        let request = request!(self, own);
        let next = poll_fn(|cx| request.poll_information(cx)).await.map_err(ErrorCode::from);
        Ok(next.map(|next| next.map(|(status_code, headers)| Information { status_code, headers })))
    }

    async fn upgraded(&mut self, own: Own) -> Told<Option<Tunnel>> {
        let request = request!(self, own);
        self.wait_for_tunnel(&request).await
    }

    async fn connected(&mut self, own: Own) -> Told<Option<Tunnel>> {
        let request = request!(self, own);
        if !request.is_connect() {
            let message = "connected() waits for the answer to CONNECT; the method is another".to_owned();
            return Ok(Err(ErrorCode::InvalidArg(message)));
        }
        self.wait_for_tunnel(&request).await
    }

    fn destroy(&mut self, own: Own) -> Result<()> {
        self.look_at(&own, ClientRequest::destroy)
    }

    fn subscribe(&mut self, own: Own) -> Result<Resource<DynPollable>> {
        let request = self.table.get(&own)?.0.clone();
        self.subscribe_own(request, OfOwn::Event)
    }

    fn subscribe_writable(&mut self, own: Own) -> Result<Resource<DynPollable>> {
        let request = self.table.get(&own)?.0.clone();
        self.subscribe_own(request, OfOwn::Room)
    }

    fn drop(&mut self, own: Own) -> Result<()> {
        // A pollable may still hold it.
        if let Some(request) = self.table.delete(own)?.0.filter(|request| !request.is_given()) {
            request.destroy();
        }
        Ok(())
    }
}

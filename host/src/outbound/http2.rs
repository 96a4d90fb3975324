use super::{draft::Draft, error::OutboundError, http1::head::ResponseHead, origin::Origin, stream::Stream};
use crate::wire::http1::{fields::Line, head::HeadLimits};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;
#[derive(Debug, Clone)]
pub struct Http2;
#[derive(Debug)]
pub struct Http2Exchange;
impl Http2 {
    pub async fn handshake(_: Stream, _: HeadLimits) -> Result<Self, OutboundError> {
        todo!()
    }
    pub fn is_alive(&self) -> bool {
        true
    }
    pub fn is_idle(&self) -> bool {
        true
    }
    pub fn idle_for(&self) -> Duration {
        todo!()
    }
    pub fn peer(&self) -> SocketAddr {
        todo!()
    }
    pub fn local(&self) -> SocketAddr {
        todo!()
    }
    pub fn encrypted(&self) -> bool {
        todo!()
    }
    pub fn requests(&self) -> u64 {
        0
    }
    pub fn begin(&self, _: &Draft, _: &Origin) -> Result<Http2Exchange, OutboundError> {
        todo!()
    }
}
impl Http2Exchange {
    pub fn put(&mut self, _: &mut Draft) {}
    pub fn put_end(&mut self, _: &Draft) {}
    pub fn unsent(&self) -> usize {
        0
    }
    pub fn forget_unsent(&mut self) {}
    pub fn poll_flush(&mut self, _: &mut Context<'_>, _: &mut bool) -> Poll<io::Result<()>> {
        todo!()
    }
    pub fn poll_head(
        &mut self,
        _: &mut Context<'_>,
        _: &str,
        _: HeadLimits,
        _: u64,
    ) -> Poll<Result<ResponseHead, OutboundError>> {
        todo!()
    }
    pub fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        _: &mut Vec<u8>,
        _: usize,
    ) -> Poll<Result<usize, OutboundError>> {
        todo!()
    }
    pub fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<()> {
        todo!()
    }
    pub fn is_complete(&self) -> bool {
        true
    }
    pub fn trailers(&self) -> Vec<Line> {
        todo!()
    }
    pub fn take_replay(&mut self, _: &str) -> Option<Vec<Vec<u8>>> {
        None
    }
}

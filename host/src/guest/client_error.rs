//! The call in which a guest words the answer to a bad request. There is no
//! exchange: all that the guest sees is what went wrong.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::timeout;

use crate::guest::api::bindings::exports::innkeeper::http::client_error_handler::ClientError;
use crate::guest::call::{Stopped, blame, instance_of, supervised};
use crate::guest::component::Callee;
use crate::guest::cpu::Cpu;
use crate::guest::instance::Instances;
use crate::wire::refusal::Refusal;
use crate::wire::socket::Socket;
use crate::wire::watch::Interruption;

/// Has the guest's `client-error-handler`, which it must have, word the answer
/// to `refusal`; none leaves that to the host. Dropping the future ends the
/// guest.
///
/// # Errors
/// Why the guest did not return.
pub async fn reworded(
    instances: &Arc<Instances>,
    socket: &Arc<Socket>,
    refusal: Refusal,
) -> Result<Option<Vec<u8>>, Stopped> {
    let limits = instances.limits();
    let share = &instances.account().share;
    let calling = share.as_needed(Box::pin(run(instances.clone(), socket.clone(), refusal)));
    let over = async {
        match limits.wall_time_max {
            Some(wall_time_max) => timeout(wall_time_max, calling).await.unwrap_or(Err(Stopped::WallTime)),
            None => calling.await,
        }
    };
    let bytes = tokio::select! {
        worded = over => worded?,
        () = socket.reset_by_peer() => return Err(Stopped::Interrupted(Interruption::ClientGone)),
    };
    Ok(bytes.filter(|bytes| bytes.len() <= limits.response_buffer_bytes_max))
}

async fn run(
    instances: Arc<Instances>,
    socket: Arc<Socket>,
    refusal: Refusal,
) -> Result<Option<Vec<u8>>, Stopped> {
    let cpu = instances.cpu();
    let calling = pin!(call(&instances, &cpu, &socket, refusal));
    supervised(&cpu, calling, |_| Poll::Pending).await
}

async fn call(
    instances: &Instances,
    cpu: &Arc<Cpu>,
    socket: &Socket,
    refusal: Refusal,
) -> Result<Option<Vec<u8>>, Stopped> {
    let mut instance = instance_of(instances, cpu).await?;
    let Callee::Innkeeper(entries) = instances.callee() else { return Ok(None) };
    let Some(entry) = &entries.client_error else { return Ok(None) };
    let error = ClientError {
        reason: refusal.fault.to_string(),
        status: refusal.fault.status(),
        code: refusal.fault.for_guest().into(),
        bytes_parsed: u32::try_from(refusal.good_bytes()).unwrap_or(u32::MAX),
        raw_packet: refusal.packet,
        remote_address: socket.peer().ip().to_string(),
        remote_port: socket.peer().port(),
    };
    let worded = async {
        let guest = entry.load(&mut instance.store, &instance.inner)?;
        guest.call_handle(&mut instance.store, &error).await
    };
    match worded.await {
        Ok(worded) => {
            instances.give_back(instance);
            Ok(worded)
        }
        Err(error) => Err(blame(&error, instance.memory_limit_reached())),
    }
}

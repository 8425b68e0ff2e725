//! The check whether a network carries anything, for strategies that ask for one before an attempt.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{net::TcpStream, time::timeout};

/// A network that does not answer within this time carries nothing (assumption, the laboratory's too): room for one SYN more,
/// a second after the first, and for the slowest round trips that are of any use.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Returns whether the network carries anything: whether a host answers a connection to `address` within 3 s, by accepting
/// or refusing it. A port that nobody serves, such as 9 (`discard`), costs a packet each way.
pub async fn network_carries(address: SocketAddr) -> bool {
    match timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset),
        Err(_) => false,
    }
}

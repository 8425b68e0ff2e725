//! The cable between client and server, as a relay that can be pulled: nothing passes then, and nobody is told.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// Carries connections from `listener` to the server at `address`, while it is plugged in.
pub async fn run(listener: TcpListener, address: SocketAddr, is_plugged: watch::Receiver<bool>) {
    while let Ok((near, _)) = listener.accept().await {
        let is_plugged = is_plugged.clone();
        tokio::spawn(async move {
            let mut plugged = is_plugged.clone();
            if plugged.wait_for(|is_plugged| *is_plugged).await.is_err() {
                return;
            }
            let Ok(far) = TcpStream::connect(address).await else { return };
            let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
            tokio::spawn(carry(from_near, to_far, is_plugged.clone()));
            tokio::spawn(carry(from_far, to_near, is_plugged));
        });
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut is_plugged: watch::Receiver<bool>) {
    let mut space = vec![0; 16_384];
    while let Ok(size @ 1..) = from.read(&mut space).await {
        let is_gone = is_plugged.wait_for(|is_plugged| *is_plugged).await.is_err();
        if is_gone || to.write_all(&space[..size]).await.is_err() {
            return;
        }
    }
}

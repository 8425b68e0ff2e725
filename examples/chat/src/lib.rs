//! A chat over WebSocket and TLS: its client does as a strategy says, and the cable between it and the server can be pulled.

pub mod cable;
pub mod client;
pub mod server;
pub mod tls;

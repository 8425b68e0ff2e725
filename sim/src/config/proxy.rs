//! A layer-7 proxy in front of the servers, as data: its timers, and how it ends connections. What it does with packets is in
//! `nodes::proxy`.

use cardiogram_policies::unit::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Distribution, TcpSettings};

/// A proxy that ends the client's TCP and has a connection of its own to the server for each. What it passes on is bytes:
/// acknowledgements and keepalive probes are answered where they arrive, so that no kernel of either side learns anything of
/// the other. Only what the application writes keeps its timers from running out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyConfig {
    /// How long the client may send nothing (`HAProxy`: `timeout client`). At least 1 s. Default: for as long as it likes.
    pub client_idle: Option<Span>,
    /// How long the server may send nothing, from the moment on at which the connection to it is up (nginx:
    /// `proxy_read_timeout`, `HAProxy`: `timeout server`). At least 1 s. Default: for as long as it likes.
    pub server_idle: Option<Span>,
    /// How long both may send nothing (AWS's application load balancer; `HAProxy`: `timeout tunnel`). At least 1 s. Default: for
    /// as long as they like.
    pub idle: Option<Span>,
    /// How old a connection may become, from its acceptance on, drawn for each; at least 1 s. Default: as old as it likes.
    pub max_age: Option<Distribution>,
    /// How long the connection to the server may take to come up. Default 60 s (nginx: `proxy_connect_timeout`).
    pub connect_timeout: Span,
    /// How it ends a connection that is over, at both ends. Default `fin`.
    pub ends_with: EndsWith,
    /// The TCP of its kernel. Default `linux-new`.
    pub tcp: TcpSettings,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            client_idle: None,
            server_idle: None,
            idle: None,
            max_age: None,
            connect_timeout: Span::secs(60),
            ends_with: EndsWith::default(),
            tcp: TcpSettings::default(),
        }
    }
}

impl ProxyConfig {
    /// Returns the shortest silence, of one side or of both, that ends a connection.
    pub fn shortest_idle(&self) -> Option<Span> {
        [self.client_idle, self.server_idle, self.idle].into_iter().flatten().min_by_key(|span| span.get())
    }
}

/// How a proxy ends a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndsWith {
    /// By closing it: FIN, or RST where something that has arrived was not read.
    #[default]
    Fin,
    /// By RST.
    Rst,
}

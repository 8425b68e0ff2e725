//! Both ends of TLS, with a certificate that is made anew at each start.

use std::{error::Error, sync::Arc};

use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        pki_types::{PrivateKeyDer, ServerName},
    },
};

/// The name that the server's certificate is for.
pub const NAME: &str = "chat.example";

/// The server's end, and what a client has to know of it.
pub struct Tls {
    /// Accepts TLS.
    pub acceptor: TlsAcceptor,
    /// Connects to a server that has this certificate.
    pub connector: TlsConnector,
}

impl Tls {
    /// Makes a certificate and both ends for it.
    pub fn new() -> Result<Self, Box<dyn Error>> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
        let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], key)?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate)?;
        let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(server)), connector: TlsConnector::from(Arc::new(client)) })
    }

    /// Returns the server's name as TLS wants it.
    pub fn name() -> ServerName<'static> {
        ServerName::try_from(NAME).expect("it is a name")
    }
}

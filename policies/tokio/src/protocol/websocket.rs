//! WebSocket (RFC 6455): its ping and pong frames for heartbeats, its opening handshake for the hello. The frames are
//! tungstenite's, which reads and writes the buffers of the driver here; tokio-tungstenite puts the same on a stream.

use std::{fmt, io, sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
/// A message of a WebSocket: text or binary. Those of the protocol itself never reach the application.
pub use tungstenite::Message as WebSocketMessage;
use tungstenite::{
    ClientHandshake, Error, HandshakeError,
    client::IntoClientRequest,
    handshake::{MidHandshake, client::Request},
    http::header::RETRY_AFTER,
};

use super::{Goodbye, Hello, Incoming, Protocol, Welcome, nonsense};

/// WebSocket over a stream that is dialled already, with TLS or without. A heartbeat is a ping with its number; a notice is a
/// pong that nobody asked for (section 5.5.3). A server that refuses with `Retry-After` in seconds is heard.
#[derive(Clone)]
pub struct WebSocket {
    request: Arc<dyn Fn(&Hello) -> Request + Send + Sync>,
    state: State,
}

/// How far a connection has come.
enum State {
    /// It has not begun. What a clone begins with, too.
    Fresh,
    Shaking(Box<MidHandshake<ClientHandshake<Pipe>>>),
    Open(Box<tungstenite::WebSocket<Pipe>>),
    /// The handshake went wrong; the words are for whoever asks next.
    Failed(String),
}

impl Clone for State {
    fn clone(&self) -> Self {
        Self::Fresh
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").finish_non_exhaustive()
    }
}

impl WebSocket {
    /// Returns the protocol for a server at this address, `wss://chat.example/socket`: its host and path go into the
    /// handshake. Where to dial is told elsewhere.
    ///
    /// # Errors
    ///
    /// Where that is no address of a WebSocket.
    pub fn new(address: &str) -> io::Result<Self> {
        let request = address.into_client_request().map_err(to_io)?;
        Ok(Self::requesting(move |_| request.clone()))
    }

    /// Returns the protocol with a request for each connection: for headers of your own, several servers, or a token that
    /// changes. The request needs what `IntoClientRequest` gives it, the key among it.
    pub fn requesting(request: impl Fn(&Hello) -> Request + Send + Sync + 'static) -> Self {
        Self { request: Arc::new(request), state: State::Fresh }
    }

    /// Writes a message of any kind to the connection, which is open.
    fn write(&mut self, message: WebSocketMessage, out: &mut BytesMut) -> io::Result<()> {
        let State::Open(socket) = &mut self.state else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let result = socket.send(message).map_err(to_io);
        out.unsplit(std::mem::take(&mut socket.get_mut().written));
        result
    }

    /// Goes on with the opening handshake as far as the bytes reach.
    fn shake(&mut self, handshake: MidHandshake<ClientHandshake<Pipe>>) -> Option<Incoming<WebSocketMessage>> {
        match handshake.handshake() {
            Ok((socket, _)) => {
                self.state = State::Open(Box::new(socket));
                Some(Incoming::Welcome { interval: None })
            }
            Err(HandshakeError::Interrupted(handshake)) => {
                self.state = State::Shaking(Box::new(handshake));
                None
            }
            Err(HandshakeError::Failure(error)) => {
                self.state = State::Failed(error.to_string());
                let Error::Http(response) = error else { return None };
                let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
                Some(Incoming::Goodbye { reason: Goodbye::Busy, retry_after: Some(Duration::from_secs(seconds)) })
            }
        }
    }
}

impl Protocol for WebSocket {
    type Message = WebSocketMessage;

    fn hello(&mut self, hello: &Hello, out: &mut BytesMut) -> Welcome {
        match ClientHandshake::start(Pipe::default(), (self.request)(hello), None) {
            Ok(handshake) => {
                self.shake(handshake);
                if let State::Shaking(handshake) = &mut self.state {
                    out.unsplit(std::mem::take(&mut handshake.get_mut().get_mut().written));
                }
            }
            Err(error) => self.state = State::Failed(error.to_string()),
        }
        Welcome::Awaited
    }

    fn heartbeat(&mut self, id: u32, out: &mut BytesMut) {
        // It is refused only where the server has begun to close the connection, which ends it soon.
        let _ = self.write(WebSocketMessage::Ping(Bytes::copy_from_slice(&id.to_be_bytes())), out);
    }

    fn notice(&mut self, out: &mut BytesMut) {
        let _ = self.write(WebSocketMessage::Pong(Bytes::new()), out);
    }

    fn encode(&mut self, message: WebSocketMessage, out: &mut BytesMut) -> io::Result<()> {
        if !(message.is_text() || message.is_binary()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a message is text or binary"));
        }
        self.write(message, out)
    }

    fn decode(
        &mut self,
        input: &mut BytesMut,
        answer: &mut BytesMut,
    ) -> io::Result<Option<Incoming<WebSocketMessage>>> {
        match std::mem::replace(&mut self.state, State::Fresh) {
            State::Fresh => Err(nonsense("nothing was asked for yet")),
            State::Failed(words) => Err(nonsense(words)),
            State::Shaking(mut handshake) => {
                handshake.get_mut().get_mut().arrived.unsplit(input.split());
                let incoming = self.shake(*handshake);
                match &self.state {
                    State::Failed(words) if incoming.is_none() => Err(nonsense(words.as_str())),
                    _ => Ok(incoming),
                }
            }
            State::Open(mut socket) => {
                socket.get_mut().arrived.unsplit(input.split());
                let read = socket.read();
                // The answer to a ping or a close waits for it.
                let _ = socket.flush();
                answer.unsplit(std::mem::take(&mut socket.get_mut().written));
                self.state = State::Open(socket);
                match read {
                    Ok(message) => Ok(Some(incoming(message))),
                    Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                    // What follows is the end of the stream, which the transport tells.
                    Err(Error::ConnectionClosed) => Ok(None),
                    Err(error) => Err(to_io(error)),
                }
            }
        }
    }
}

fn incoming(message: WebSocketMessage) -> Incoming<WebSocketMessage> {
    match message {
        WebSocketMessage::Text(_) | WebSocketMessage::Binary(_) => Incoming::Message(message),
        WebSocketMessage::Ping(_) => Incoming::Ping,
        // One with another content is a server's that shows that it lives.
        WebSocketMessage::Pong(content) => content
            .first_chunk()
            .filter(|_| content.len() == 4)
            .map_or(Incoming::Ping, |id| Incoming::Reply { id: Some(u32::from_be_bytes(*id)) }),
        WebSocketMessage::Close(_) => Incoming::Goodbye { reason: Goodbye::Busy, retry_after: None },
        WebSocketMessage::Frame(_) => Incoming::Other,
    }
}

fn to_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => nonsense(error),
    }
}

/// The two buffers between the driver and tungstenite, as the stream that that wants.
#[derive(Debug, Default)]
struct Pipe {
    arrived: BytesMut,
    written: BytesMut,
}

impl io::Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.arrived.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let size = into.len().min(self.arrived.len());
        self.arrived.copy_to_slice(&mut into[..size]);
        Ok(size)
    }
}

impl io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::accept;

    use super::*;
    use crate::Purpose;

    const HELLO: Hello = Hello { server: 0, purpose: Purpose::Session, announces: None, resumes: false };

    /// A client that has said hello, and a server that has answered it, over buffers that the test carries.
    struct Pair {
        client: WebSocket,
        server: tungstenite::WebSocket<Pipe>,
        to_server: BytesMut,
        to_client: BytesMut,
    }

    impl Pair {
        fn new() -> Self {
            let mut client = WebSocket::new("ws://chat.example/socket").unwrap();
            let mut request = BytesMut::new();
            assert_eq!(client.hello(&HELLO, &mut request), Welcome::Awaited);
            assert!(request.starts_with(b"GET /socket HTTP/1.1\r\nHost: chat.example\r\n"), "{request:?}");
            let Ok(mut server) = accept(Pipe { arrived: request, written: BytesMut::new() }) else { panic!("refused") };
            let to_client = std::mem::take(&mut server.get_mut().written);
            let mut pair = Self { client, server, to_server: BytesMut::new(), to_client };
            assert_eq!(pair.client_hears(), [Incoming::Welcome { interval: None }]);
            pair
        }

        fn client_hears(&mut self) -> Vec<Incoming<WebSocketMessage>> {
            let mut heard = Vec::new();
            while let Some(incoming) = self.client.decode(&mut self.to_client, &mut self.to_server).unwrap() {
                heard.push(incoming);
            }
            heard
        }

        /// Lets the server read a message, and answer it if it wants to.
        fn server_hears(&mut self) -> WebSocketMessage {
            self.server.get_mut().arrived.unsplit(self.to_server.split());
            let message = self.server.read().unwrap();
            self.server.flush().unwrap();
            self.to_client.unsplit(std::mem::take(&mut self.server.get_mut().written));
            message
        }

        fn server_says(&mut self, message: WebSocketMessage) {
            self.server.send(message).unwrap();
            self.to_client.unsplit(std::mem::take(&mut self.server.get_mut().written));
        }
    }

    #[test]
    fn a_heartbeat_is_a_ping_and_its_pong_has_its_number() {
        let mut pair = Pair::new();
        pair.client.heartbeat(300, &mut pair.to_server);
        assert_eq!(pair.server_hears(), WebSocketMessage::Ping(Bytes::from_static(&[0, 0, 1, 44])));
        assert_eq!(pair.client_hears(), [Incoming::Reply { id: Some(300) }]);
        pair.client.notice(&mut pair.to_server);
        assert_eq!(pair.server_hears(), WebSocketMessage::Pong(Bytes::new()));
        assert_eq!(pair.client_hears(), []);
    }

    #[test]
    fn a_servers_ping_is_answered_and_its_messages_arrive() {
        let mut pair = Pair::new();
        pair.server_says(WebSocketMessage::Ping(Bytes::from_static(b"hey")));
        pair.server_says(WebSocketMessage::text("hello"));
        assert_eq!(pair.client_hears(), [Incoming::Ping, Incoming::Message(WebSocketMessage::text("hello"))]);
        assert_eq!(pair.server_hears(), WebSocketMessage::Pong(Bytes::from_static(b"hey")));
        pair.client.encode(WebSocketMessage::text("and you"), &mut pair.to_server).unwrap();
        assert_eq!(pair.server_hears(), WebSocketMessage::text("and you"));
        assert!(pair.client.encode(WebSocketMessage::Close(None), &mut pair.to_server).is_err());
        pair.server_says(WebSocketMessage::Close(None));
        assert_eq!(pair.client_hears(), [Incoming::Goodbye { reason: Goodbye::Busy, retry_after: None }]);
        assert_eq!(pair.client_hears(), [], "the end of the stream is still to come");
    }

    #[test]
    fn a_servers_refusal_says_when_to_come_back() {
        let mut client = WebSocket::new("wss://chat.example/").unwrap();
        client.hello(&HELLO, &mut BytesMut::new());
        let mut refusal = BytesMut::from("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\n\r\n");
        let wait = Some(Duration::from_secs(30));
        let goodbye = Incoming::Goodbye { reason: Goodbye::Busy, retry_after: wait };
        assert_eq!(client.decode(&mut refusal, &mut BytesMut::new()).unwrap(), Some(goodbye));
        assert!(client.decode(&mut refusal, &mut BytesMut::new()).is_err());

        let mut client = client.clone();
        client.hello(&HELLO, &mut BytesMut::new());
        let mut nonsense = BytesMut::from("SSH-2.0-OpenSSH_9.2\r\n\r\n");
        assert!(client.decode(&mut nonsense, &mut BytesMut::new()).is_err());
        assert!(WebSocket::new("no address at all").is_err());
    }

    #[test]
    fn a_clone_begins_anew() {
        let (mut clone, mut request) = (Pair::new().client.clone(), BytesMut::new());
        assert!(clone.decode(&mut BytesMut::new(), &mut BytesMut::new()).is_err());
        clone.hello(&HELLO, &mut request);
        assert!(request.starts_with(b"GET /socket"));
    }
}

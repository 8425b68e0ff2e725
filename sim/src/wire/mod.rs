//! What goes over the wire, and between whom: addresses, packets, TCP behind the seam for other transports, and the application's frames in it. Nothing here knows
//! who sends, or why.

pub(crate) mod address;
pub(crate) mod frame;
pub(crate) mod layout;
pub mod packet;
pub(crate) mod tap;
pub mod tcp;
pub(crate) mod transport;

//! The strategies of real products, as data compiled in.

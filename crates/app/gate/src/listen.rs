//! Listening sockets.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// One socket a worker on the same address; the kernel spreads connections over them.
///
/// With `SO_REUSEPORT` a process that was left over would silently keep its share of the
/// connections, so the address is first taken without it.
pub(crate) fn shared(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let taken = alone(address)?;
    let address = taken.local_addr()?;
    drop(taken);
    let listeners: io::Result<Vec<_>> = (0..count).map(|_| open(address, true)).collect();
    Ok((address, listeners?))
}

/// A socket that nobody else shares.
pub(crate) fn alone(address: SocketAddr) -> io::Result<TcpListener> {
    open(address, false)
}

fn open(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a former process that linger do not count as taken.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_taken_port_is_noticed() {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (address, listeners) = shared(any, 2).unwrap();
        assert_eq!(listeners.len(), 2);
        assert_eq!(shared(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listeners);
        assert!(shared(address, 1).is_ok());
    }
}

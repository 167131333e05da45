//! Descriptors that travel over a Unix socket (`SCM_RIGHTS`); see unix(7).

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::error::SysError;

/// More never travel with one message of ours.
pub const MAX: usize = 16;

/// A connected pair whose messages keep their borders (`SOCK_SEQPACKET`).
pub fn pair() -> Result<(OwnedFd, OwnedFd), SysError> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: socketpair(2) writes two descriptors into the live array.
    let ret = unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) };
    SysError::check("socketpair", ret.into())?;
    // SAFETY: the call succeeded, so both are new descriptors that nobody else owns.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// The process at the other end, as it was when it connected or listened; see unix(7), `SO_PEERCRED`.
pub fn peer_pid(socket: BorrowedFd<'_>) -> Result<i32, SysError> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    getsockopt(&socket, PeerCredentials)
        .map(|peer| peer.pid())
        .map_err(|e| SysError::io("getsockopt SO_PEERCRED", e.into()))
}

fn control_space() -> usize {
    let payload = libc::c_uint::try_from(MAX * size_of::<RawFd>()).expect("a small constant");
    // SAFETY: CMSG_SPACE only computes.
    unsafe { libc::CMSG_SPACE(payload) as usize }
}

/// Sends `bytes` (at least one) with copies of `descriptors`.
pub fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> Result<usize, SysError> {
    assert!(
        descriptors.len() <= MAX,
        "at most {MAX} descriptors travel at once"
    );
    // u64 so that the headers in it are aligned.
    let mut control = vec![0u64; control_space().div_ceil(8)];
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: all-zero bytes are a valid `msghdr`: no name, no data, no control.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if !descriptors.is_empty() {
        let payload = size_of_val(descriptors);
        let payload = libc::c_uint::try_from(payload).expect("at most MAX descriptors");
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE only computes.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(payload) } as usize;
        // SAFETY: `msg_control` points to zeroed, aligned memory of at least `msg_controllen`
        // bytes, so the first header exists and has room for `payload` bytes behind it.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(payload) as usize;
            let data = libc::CMSG_DATA(header).cast::<RawFd>();
            for (i, fd) in descriptors.iter().enumerate() {
                data.add(i).write_unaligned(fd.as_raw_fd());
            }
        }
    }
    // SAFETY: `message` points to live locals only; the kernel reads them during the call.
    let ret = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    SysError::check("sendmsg", ret as i64)?;
    Ok(ret.cast_unsigned())
}

/// Receives bytes into `buffer` and the descriptors that came with them; 0 bytes is the end.
///
/// Fails when the message or its descriptors did not fit.
pub fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> Result<(usize, Vec<OwnedFd>), SysError> {
    let mut control = vec![0u64; control_space().div_ceil(8)];
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: all-zero bytes are a valid `msghdr`.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = control.len() * 8;
    let ret = loop {
        // SAFETY: `message` points to live locals only, with their true lengths.
        let ret =
            unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
        if ret >= 0 || std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            break ret;
        }
    };
    SysError::check("recvmsg", ret as i64)?;
    let descriptors = collect(&message);
    if message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
        let source = std::io::Error::from_raw_os_error(libc::EMSGSIZE);
        return Err(SysError::io("recvmsg", source));
    }
    Ok((ret.cast_unsigned(), descriptors))
}

/// Takes ownership of every descriptor in a received message.
fn collect(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut found = Vec::new();
    // SAFETY: recvmsg(2) filled the control area and its length, so the headers in it are valid,
    // and each SCM_RIGHTS header is followed by whole new descriptors that nobody else owns.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let bytes = (*header).cmsg_len - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                for i in 0..bytes / size_of::<RawFd>() {
                    found.push(OwnedFd::from_raw_fd(data.add(i).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsFd;

    #[test]
    fn a_file_travels_with_its_message() {
        let (a, b) = pair().unwrap();
        let mut file = std::fs::File::from(crate::fs::memfd(c"test").unwrap());
        file.write_all(b"content").unwrap();
        send(a.as_fd(), b"hello", &[file.as_fd()]).unwrap();
        let mut buffer = [0; 64];
        let (n, mut fds) = receive(b.as_fd(), &mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"hello");
        let mut received = std::fs::File::from(fds.pop().unwrap());
        received.rewind().unwrap();
        let mut text = String::new();
        received.read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
    }

    #[test]
    fn a_message_larger_than_the_buffer_is_an_error() {
        let (a, b) = pair().unwrap();
        send(a.as_fd(), &[1; 100], &[]).unwrap();
        assert!(receive(b.as_fd(), &mut [0; 10]).is_err());
    }
}

//! Anonymous memory files, see memfd_create(2); and how much memory the allocator keeps.

use std::ffi::CStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::error::SysError;

/// A memory file with this content that nobody can change any more, positioned at its start.
pub fn sealed(name: &CStr, content: &[u8]) -> Result<OwnedFd, SysError> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a `CStr` borrow that outlives the call; the kernel only reads it.
    let ret = unsafe { libc::memfd_create(name.as_ptr(), flags) };
    SysError::check("memfd_create", ret.into())?;
    // SAFETY: the call above succeeded, so `ret` is a new descriptor that nobody else owns.
    let mut file = unsafe { File::from_raw_fd(ret) };
    let filled = file
        .write_all(content)
        .and_then(|()| std::io::Seek::rewind(&mut file));
    filled.map_err(|source| SysError {
        call: "write",
        object: Some("memory file".into()),
        source,
    })?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: F_ADD_SEALS takes its argument by value and touches no memory of ours.
    let ret = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    SysError::check("fcntl F_ADD_SEALS", ret.into())?;
    Ok(file.into())
}

/// Makes the allocator of this process keep little of what was freed: for one that lives long and mostly waits.
///
/// Call it before any thread is made. All threads share two arenas, where the C library would give each its own; large
/// blocks are always mappings of their own; see mallopt(3).
pub fn keep_little() {
    const ARENAS: libc::c_int = 2;
    const LARGE: libc::c_int = 128 << 10;
    // SAFETY: mallopt(3) takes its arguments by value and changes settings of the allocator only.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
        // Setting it also keeps it from growing with what was freed.
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Gives the kernel back what is not needed while this process waits: what was freed and is still held, see
/// malloc_trim(3); and the pages of its code, which a later call finds in the page cache.
pub fn give_back() {
    // SAFETY: malloc_trim(3) takes its argument by value and touches only memory that nobody uses.
    unsafe { libc::malloc_trim(0) };
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let here = give_back as *const () as usize;
    let Some((start, end)) = maps.lines().find_map(|line| mapping(line, here)) else {
        return;
    };
    // SAFETY: the range is one whole mapping of a file, executable and never written to, so the kernel maps the same
    // bytes again when they are needed: nothing that runs can see a difference.
    unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
}

/// The borders of the mapping in this line of `/proc/PID/maps`, if it is code and has this address in it.
fn mapping(line: &str, address: usize) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let number = |digits| usize::from_str_radix(digits, 16).ok();
    let (start, end) = (number(start)?, number(end)?);
    let is_code = words.next()? == "r-xp" && words.next_back()?.starts_with('/');
    (is_code && (start..end).contains(&address)).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_a_file_is_given_back() {
        let code = "00400000-00500000 r-xp 00001000 fe:00 1    /usr/bin/quai";
        assert_eq!(mapping(code, 0x40_0010), Some((0x40_0000, 0x50_0000)));
        assert_eq!(mapping(code, 0x50_0000), None);
        let data = "00400000-00500000 rw-p 00001000 fe:00 1    /usr/bin/quai";
        assert_eq!(mapping(data, 0x40_0010), None);
        assert_eq!(
            mapping("00400000-00500000 r-xp 00000000 00:00 0", 0x40_0010),
            None
        );
        give_back();
    }
}

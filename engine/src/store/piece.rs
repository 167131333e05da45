//! A part of a file, read without a shared position.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// `left` bytes from `at` on. A file that ends before gives fewer.
#[derive(Debug)]
pub struct Piece<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl<'a> Piece<'a> {
    /// `size` bytes of `file` from `at` on.
    pub fn new(file: &'a File, at: u64, size: u64) -> Self {
        Self {
            file,
            at,
            left: size,
        }
    }
}

impl Read for Piece<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}
